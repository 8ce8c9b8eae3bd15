INSERT INTO "InboxMessage" AS i ("MessageId", "ConsumerId", "Pass", "ConsumedAt", "ExpiresAt")
SELECT l.id, @consumer, l.pass, @now, @expires
FROM (SELECT m.value AS id, p.value AS pass FROM json_each(@messages) m JOIN json_each(@passes) p ON p.key = m.key) l
WHERE true
ORDER BY l.id
ON CONFLICT ("MessageId", "ConsumerId") DO UPDATE
SET "Pass" = excluded."Pass", "ConsumedAt" = excluded."ConsumedAt", "ExpiresAt" = excluded."ExpiresAt"
WHERE i."ConsumedAt" IS NULL AND i."Pass" <= excluded."Pass"
RETURNING "MessageId" AS "Value"
