UPDATE "OutboxMessage" SET "State" = 5, "ClosedAt" = @now, "Body" = @empty, "Size" = 0
WHERE "State" = 1 AND "SequenceNumber" IN (
  SELECT "SequenceNumber" FROM "OutboxMessage"
  WHERE "State" = 1 AND "State" <> 0 AND "ClosedAt" <= @before AND "History" IS NOT NULL
  ORDER BY "SequenceNumber"
  LIMIT @limit)
