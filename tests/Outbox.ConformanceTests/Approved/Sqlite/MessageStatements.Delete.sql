DELETE FROM "OutboxMessage"
WHERE "SequenceNumber" IN (SELECT value FROM json_each(@ids))
