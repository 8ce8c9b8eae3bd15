UPDATE "OutboxMessage" SET "State" = 1, "ClosedAt" = COALESCE("ClosedAt", @now)
WHERE "State" = 0 AND "SequenceNumber" IN (SELECT value FROM json_each(@ids))
