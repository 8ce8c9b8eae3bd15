UPDATE [OutboxMessage]
SET [State] = 0
WHERE [State] = 1 AND [State] <> 0 AND [SequenceNumber] IN (
  SELECT [SequenceNumber] FROM [OutboxMessage]
  WHERE [State] = 1 AND [State] <> 0
  ORDER BY [SequenceNumber]
  OFFSET 0 ROWS FETCH NEXT @limit ROWS ONLY)
