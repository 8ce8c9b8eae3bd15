UPDATE [OutboxLease] SET [Owner] = NULL WHERE [Partition] = @partition AND [Owner] = @me
