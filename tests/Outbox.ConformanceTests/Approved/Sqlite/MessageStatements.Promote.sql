UPDATE "OutboxMessage" SET "DueAt" = NULL, "Holds" = FALSE
WHERE "State" = 0 AND "DueAt" <= @now AND "SequenceNumber" IN (
  SELECT "SequenceNumber" FROM "OutboxMessage"
  WHERE "State" = 0 AND "DueAt" <= @now AND "Partition" IN (SELECT value FROM json_each(@partitions))
  ORDER BY "DueAt", "SequenceNumber"
  LIMIT @limit)
RETURNING "Partition", "SequenceNumber"
