UPDATE [OutboxMessage] SET [State] = 1, [ClosedAt] = COALESCE([ClosedAt], @now)
WHERE [State] = 0 AND [SequenceNumber] IN (SELECT v FROM OPENJSON(@ids) WITH (v bigint '$'))
