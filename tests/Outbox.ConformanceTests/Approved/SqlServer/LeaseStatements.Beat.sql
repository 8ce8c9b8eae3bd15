UPDATE [OutboxReplica] SET [Beat] = [Beat] + 1 WHERE [Id] = @me
