SELECT 1 FROM "OutboxMessage" m
WHERE m."State" = 0 AND m."DueAt" IS NULL AND m."SequenceNumber" <= @last
  AND NOT EXISTS (
    SELECT 1 FROM "OutboxMessage" h
    WHERE h."Holds" = TRUE AND h."Partition" = m."Partition" AND h."KeyHash" = m."KeyHash")
LIMIT 1
