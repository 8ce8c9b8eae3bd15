SELECT [State] FROM [OutboxMessage] WHERE [SequenceNumber] = @id
