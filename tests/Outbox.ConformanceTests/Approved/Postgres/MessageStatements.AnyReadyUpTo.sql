SELECT 1 FROM "OutboxMessage"
WHERE "State" = 0 AND "DueAt" IS NULL
  AND "SequenceNumber" <= @last
LIMIT 1
