UPDATE [OutboxMessage] SET [State] = 5, [ClosedAt] = @now, [Body] = @empty, [Size] = 0
WHERE [State] = 0 AND [SequenceNumber] IN (SELECT v FROM OPENJSON(@ids) WITH (v bigint '$'))
