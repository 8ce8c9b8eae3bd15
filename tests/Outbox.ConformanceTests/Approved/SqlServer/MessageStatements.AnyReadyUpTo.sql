SELECT 1 FROM [OutboxMessage] m WITH (READCOMMITTEDLOCK, READPAST)
WHERE m.[State] = 0 AND m.[DueAt] IS NULL AND m.[SequenceNumber] <= @last
  AND NOT EXISTS (
    SELECT 1 FROM [OutboxMessage] h
    WHERE h.[Holds] = 1 AND h.[Partition] = m.[Partition] AND h.[KeyHash] = m.[KeyHash])
ORDER BY (SELECT NULL) OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY
