SELECT [Id], [Beat] FROM [OutboxReplica]
