DELETE FROM [OutboxMessage]
WHERE [SequenceNumber] IN (
  SELECT [SequenceNumber] FROM [OutboxMessage]
  WHERE [State] = 1 AND [State] <> 0 AND [ClosedAt] <= @before
  ORDER BY [SequenceNumber]
  OFFSET 0 ROWS FETCH NEXT @limit ROWS ONLY)
