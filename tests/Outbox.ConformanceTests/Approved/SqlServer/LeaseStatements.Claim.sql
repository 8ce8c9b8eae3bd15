UPDATE [OutboxLease] SET [Owner] = @me WHERE [Partition] = @partition AND [Owner] IS NULL
