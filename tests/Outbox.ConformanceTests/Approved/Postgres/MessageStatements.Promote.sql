UPDATE "OutboxMessage" SET "DueAt" = NULL, "Holds" = FALSE
WHERE "State" = 0 AND "DueAt" <= @now AND "SequenceNumber" IN (
  SELECT "SequenceNumber" FROM "OutboxMessage"
  WHERE "State" = 0 AND "DueAt" <= @now AND "Partition" = ANY(@partitions)
  ORDER BY "DueAt", "SequenceNumber"
  LIMIT @limit FOR UPDATE SKIP LOCKED)
RETURNING "Partition", "SequenceNumber"
