SELECT r."SequenceNumber", r."Partition", r."KeyHash", r."Attempts", r."Returns", r."MessageId", r."ConversationId", r."CorrelationId", r."MessageType", r."DestinationAddress", r."ContentType", r."ExpiresAt", r."Metadata", r."Size", r."Body", r.found
FROM (
  SELECT m.*, p.place, sum(m."Size") OVER (ORDER BY p.place, m."SequenceNumber") AS total, count(*) OVER () AS found
  FROM unnest(@partitions, @after, @take) WITH ORDINALITY AS p(partition, after, take, place)
  CROSS JOIN LATERAL (
    SELECT m."SequenceNumber", m."Partition", m."KeyHash", m."Attempts", m."Returns", m."MessageId", m."ConversationId", m."CorrelationId", m."MessageType", m."DestinationAddress", m."ContentType", m."ExpiresAt", m."Metadata", m."Size", m."Body"
    FROM "OutboxMessage" m
    WHERE m."Partition" = p.partition AND m."SequenceNumber" > p.after
      AND m."State" = 0 AND m."DueAt" IS NULL
      AND m."SequenceNumber" <> ALL(@known) AND m."KeyHash" <> ALL(@full)
      AND NOT EXISTS (
        SELECT FROM "OutboxMessage" h
        WHERE h."Holds" = TRUE AND h."Partition" = m."Partition" AND h."KeyHash" = m."KeyHash")
    ORDER BY m."SequenceNumber"
    LIMIT p.take) m) r
WHERE r.total <= @bytes OR r.total = r."Size"
ORDER BY r.place, r."SequenceNumber"
