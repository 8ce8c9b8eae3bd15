DELETE FROM [OutboxMessage]
WHERE [SequenceNumber] IN (SELECT v FROM OPENJSON(@ids) WITH (v bigint '$'))
