INSERT INTO "InboxMessage" AS i ("MessageId", "ConsumerId", "Pass", "ConsumedAt", "ExpiresAt")
VALUES (@message, @consumer, @pass, @now, @expires)
ON CONFLICT ("MessageId", "ConsumerId") DO UPDATE
SET "Pass" = excluded."Pass", "ConsumedAt" = excluded."ConsumedAt", "ExpiresAt" = excluded."ExpiresAt"
WHERE i."ConsumedAt" IS NULL AND i."Pass" <= excluded."Pass"
