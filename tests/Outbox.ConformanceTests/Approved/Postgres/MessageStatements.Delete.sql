DELETE FROM "OutboxMessage"
WHERE "SequenceNumber" = ANY(@ids)
