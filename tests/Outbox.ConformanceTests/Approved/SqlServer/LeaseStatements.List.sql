SELECT [Partition], [Owner] FROM [OutboxLease]
