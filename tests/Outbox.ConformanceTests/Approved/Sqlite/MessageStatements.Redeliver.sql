UPDATE "OutboxMessage"
SET "State" = 0
WHERE "State" = 1 AND "State" <> 0 AND "SequenceNumber" IN (
  SELECT "SequenceNumber" FROM "OutboxMessage"
  WHERE "State" = 1 AND "State" <> 0
  ORDER BY "SequenceNumber"
  LIMIT @limit)
