DELETE FROM "OutboxMessage"
WHERE "SequenceNumber" IN (
  SELECT "SequenceNumber" FROM "OutboxMessage"
  WHERE "State" = 1 AND "State" <> 0 AND "ClosedAt" <= @before
  ORDER BY "SequenceNumber"
  LIMIT @limit)
