DELETE FROM [OutboxReplica] WHERE [Id] = @other AND [Beat] = @seen
