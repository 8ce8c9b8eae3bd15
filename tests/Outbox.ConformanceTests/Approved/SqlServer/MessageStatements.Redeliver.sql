UPDATE [OutboxMessage]
SET [State] = 0, [ClosedAt] = NULL
WHERE [State] = 1 AND [State] <> 0
