DELETE FROM "InboxMessage"
WHERE ctid IN (
  SELECT ctid FROM "InboxMessage"
  WHERE "ExpiresAt" <= @now
  ORDER BY "ExpiresAt"
  LIMIT @limit FOR UPDATE SKIP LOCKED)
