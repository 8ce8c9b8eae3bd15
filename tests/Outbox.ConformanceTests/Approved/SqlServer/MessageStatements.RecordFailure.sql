UPDATE [OutboxMessage]
SET [State] = @state, [DueAt] = @due, [Holds] = @holds,
    [Attempts] = @attempts, [Returns] = @returns,
    [ClosedAt] = @closed, [LastError] = @error
WHERE [SequenceNumber] = @id AND [State] = 0
  AND [Attempts] = @seenAttempts AND [Returns] = @seenReturns
