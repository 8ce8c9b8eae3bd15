INSERT INTO "InboxMessage" AS i ("MessageId", "ConsumerId", "Pass", "ConsumedAt", "ExpiresAt")
SELECT l.id, @consumer, l.pass, @now, @expires
FROM unnest(@messages, @passes) AS l(id, pass)
WHERE true
ORDER BY l.id
ON CONFLICT ("MessageId", "ConsumerId") DO UPDATE
SET "Pass" = excluded."Pass", "ConsumedAt" = excluded."ConsumedAt", "ExpiresAt" = excluded."ExpiresAt"
WHERE i."ConsumedAt" IS NULL AND i."Pass" <= excluded."Pass"
RETURNING "MessageId" AS "Value"
