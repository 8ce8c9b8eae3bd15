INSERT INTO "InboxMessage" AS i ("MessageId", "ConsumerId", "Pass", "ConsumedAt", "ExpiresAt")
VALUES (@message, @consumer, @pass, NULL, @expires)
ON CONFLICT ("MessageId", "ConsumerId") DO UPDATE
SET "Pass" = excluded."Pass", "ExpiresAt" = excluded."ExpiresAt"
WHERE i."ConsumedAt" IS NULL AND i."Pass" < excluded."Pass"
