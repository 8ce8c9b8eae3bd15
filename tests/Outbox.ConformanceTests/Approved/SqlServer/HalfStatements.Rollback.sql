UPDATE [OutboxMessage]
SET [State] = 4, [DueAt] = NULL, [ClosedAt] = @now, [Body] = @empty, [Size] = 0, [History] = concat([History], @entry)
WHERE [SequenceNumber] = @id AND [State] = 3
