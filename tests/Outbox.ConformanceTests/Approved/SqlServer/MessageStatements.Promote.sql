UPDATE [OutboxMessage] WITH (READCOMMITTEDLOCK, READPAST) SET [DueAt] = NULL, [Holds] = 0
OUTPUT inserted.[Partition], inserted.[SequenceNumber]
WHERE [State] = 0 AND [DueAt] <= @now AND [SequenceNumber] IN (
  SELECT [SequenceNumber] FROM [OutboxMessage] WITH (READCOMMITTEDLOCK, READPAST)
  WHERE [State] = 0 AND [DueAt] <= @now AND [Partition] IN (SELECT v FROM OPENJSON(@partitions) WITH (v bigint '$'))
  ORDER BY [DueAt], [SequenceNumber]
  OFFSET 0 ROWS FETCH NEXT @limit ROWS ONLY)
