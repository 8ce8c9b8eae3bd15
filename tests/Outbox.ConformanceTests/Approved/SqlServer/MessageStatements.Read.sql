DECLARE @knownRows TABLE (v bigint PRIMARY KEY);
DECLARE @fullKeys TABLE (v bigint PRIMARY KEY);
INSERT INTO @knownRows SELECT DISTINCT v FROM OPENJSON(@known) WITH (v bigint '$');
INSERT INTO @fullKeys SELECT DISTINCT v FROM OPENJSON(@full) WITH (v bigint '$');
SELECT m.[SequenceNumber], m.[Partition], m.[KeyHash], m.[Attempts], m.[Returns], m.[MessageId], m.[ConversationId], m.[CorrelationId], m.[MessageType], m.[DestinationAddress], m.[ContentType], m.[ExpiresAt], m.[Metadata], m.[Size], m.[Body], r.found
FROM (
  SELECT p.place, k.number, k.bytes, COUNT_BIG(*) OVER () AS found,
    SUM(CAST(k.bytes AS bigint)) OVER (ORDER BY p.place, k.number ROWS UNBOUNDED PRECEDING) AS total
  FROM (
    SELECT CAST(a.[key] AS int) AS place, CAST(a.[value] AS int) AS number, CAST(b.[value] AS bigint) AS beyond, CAST(c.[value] AS int) AS take
    FROM OPENJSON(@partitions) a
    JOIN OPENJSON(@after) b ON b.[key] = a.[key]
    JOIN OPENJSON(@take) c ON c.[key] = a.[key]) p
  CROSS APPLY (
    SELECT TOP (p.take) m.[SequenceNumber] AS number, m.[Size] AS bytes
    FROM [OutboxMessage] m WITH (READCOMMITTEDLOCK, READPAST)
    WHERE m.[Partition] = p.number AND m.[SequenceNumber] > p.beyond
      AND m.[State] = 0 AND m.[DueAt] IS NULL
      AND NOT EXISTS (SELECT 1 FROM @knownRows x WHERE x.v = m.[SequenceNumber])
      AND NOT EXISTS (SELECT 1 FROM @fullKeys x WHERE x.v = m.[KeyHash])
      AND NOT EXISTS (
        SELECT 1 FROM [OutboxMessage] h
        WHERE h.[Holds] = 1 AND h.[Partition] = m.[Partition] AND h.[KeyHash] = m.[KeyHash])
    ORDER BY m.[SequenceNumber]) k) r
JOIN [OutboxMessage] m WITH (READCOMMITTEDLOCK, READPAST) ON m.[SequenceNumber] = r.number
WHERE r.total <= @bytes OR r.total = r.bytes
ORDER BY r.place, r.number
