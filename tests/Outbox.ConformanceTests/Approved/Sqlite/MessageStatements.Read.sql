SELECT m."SequenceNumber", m."Partition", m."KeyHash", m."Attempts", m."Returns", m."MessageId", m."ConversationId", m."CorrelationId", m."MessageType", m."DestinationAddress", m."ContentType", m."ExpiresAt", m."Metadata", m."Size", m."Body"
FROM "OutboxMessage" m
WHERE m."Partition" = @partitions AND m."SequenceNumber" > @after
  AND m."State" = 0 AND m."DueAt" IS NULL
  AND NOT m."SequenceNumber" IN (SELECT value FROM json_each(@known)) AND NOT m."KeyHash" IN (SELECT value FROM json_each(@full))
  AND NOT EXISTS (
    SELECT 1 FROM "OutboxMessage" h
    WHERE h."Holds" = TRUE AND h."Partition" = m."Partition" AND h."KeyHash" = m."KeyHash")
ORDER BY m."SequenceNumber"
LIMIT @take
