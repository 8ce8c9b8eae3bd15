UPDATE "OutboxMessage" SET "State" = 1, "ClosedAt" = @now
WHERE "State" = 0 AND "SequenceNumber" = ANY(@ids)
