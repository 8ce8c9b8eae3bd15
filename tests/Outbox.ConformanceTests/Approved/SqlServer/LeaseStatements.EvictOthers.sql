DELETE FROM [OutboxReplica] WHERE [Id] <> @me
