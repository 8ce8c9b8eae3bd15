UPDATE "OutboxMessage" SET "State" = 1, "ClosedAt" = COALESCE("ClosedAt", @now)
WHERE "State" = 0 AND "SequenceNumber" = ANY(@ids)
