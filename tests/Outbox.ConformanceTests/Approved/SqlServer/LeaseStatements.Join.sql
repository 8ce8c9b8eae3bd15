INSERT INTO [OutboxReplica] ([Id], [Beat]) VALUES (@me, 0)
