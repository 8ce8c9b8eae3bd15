UPDATE m SET [State] = 5, [ClosedAt] = @now, [Body] = @empty, [Size] = 0
FROM OPENJSON(@ids) WITH (v bigint '$') i
INNER LOOP JOIN [OutboxMessage] m WITH (ROWLOCK) ON m.[SequenceNumber] = i.v
WHERE [State] = 0
