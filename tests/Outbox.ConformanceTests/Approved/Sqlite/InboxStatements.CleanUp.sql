DELETE FROM "InboxMessage"
WHERE rowid IN (
  SELECT rowid FROM "InboxMessage"
  WHERE "ExpiresAt" <= @now
  ORDER BY "ExpiresAt"
  LIMIT @limit)
