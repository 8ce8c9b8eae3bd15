SELECT max("ClosedAt") FROM "OutboxMessage" WHERE "State" IN (0, 1)
