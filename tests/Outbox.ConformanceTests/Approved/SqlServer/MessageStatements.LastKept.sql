SELECT max([SequenceNumber]) FROM [OutboxMessage] WHERE [State] = 1 AND [State] <> 0
