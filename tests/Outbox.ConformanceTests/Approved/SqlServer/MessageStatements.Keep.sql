UPDATE m SET [State] = 1, [ClosedAt] = COALESCE([ClosedAt], @now)
FROM OPENJSON(@ids) WITH (v bigint '$') i
INNER LOOP JOIN [OutboxMessage] m WITH (ROWLOCK) ON m.[SequenceNumber] = i.v
WHERE [State] = 0
