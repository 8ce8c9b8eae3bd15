SELECT l.[Partition], (
  SELECT max(m.[SequenceNumber]) FROM [OutboxMessage] m WITH (READCOMMITTEDLOCK, READPAST)
  WHERE m.[Partition] = l.[Partition] AND m.[State] = 0 AND m.[DueAt] IS NULL)
FROM [OutboxLease] l
WHERE l.[Partition] IN (SELECT v FROM OPENJSON(@partitions) WITH (v bigint '$'))
