SELECT min([DueAt]), (SELECT count(*) FROM [OutboxReplica]) FROM [OutboxMessage] WITH (READCOMMITTEDLOCK, READPAST)
WHERE [State] = 0 AND [DueAt] IS NOT NULL
  AND [Partition] IN (SELECT v FROM OPENJSON(@partitions) WITH (v bigint '$'))
