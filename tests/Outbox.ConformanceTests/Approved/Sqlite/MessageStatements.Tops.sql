SELECT l."Partition", (
  SELECT max(m."SequenceNumber") FROM "OutboxMessage" m
  WHERE m."Partition" = l."Partition" AND m."State" = 0 AND m."DueAt" IS NULL)
FROM "OutboxLease" l
WHERE l."Partition" IN (SELECT value FROM json_each(@partitions))
