DELETE m
FROM OPENJSON(@ids) WITH (v bigint '$') i
INNER LOOP JOIN [OutboxMessage] m WITH (ROWLOCK) ON m.[SequenceNumber] = i.v
