UPDATE "OutboxMessage" SET "ClosedAt" = @now
WHERE "SequenceNumber" = @id AND "State" = 1
