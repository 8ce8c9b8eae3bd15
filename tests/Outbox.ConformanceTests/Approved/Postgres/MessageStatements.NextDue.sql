SELECT min("DueAt"), (SELECT count(*) FROM "OutboxReplica") FROM "OutboxMessage"
WHERE "State" = 0 AND "DueAt" IS NOT NULL
  AND "Partition" = ANY(@partitions)
