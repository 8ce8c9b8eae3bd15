SELECT max("SequenceNumber") FROM "OutboxMessage"
WHERE "State" = 0 AND "ClosedAt" IS NOT NULL
