UPDATE "OutboxMessage"
SET "State" = 0
WHERE "State" = 1 AND "State" <> 0
