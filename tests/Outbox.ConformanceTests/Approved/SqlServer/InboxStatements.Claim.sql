SET XACT_ABORT OFF;
BEGIN TRY
  INSERT INTO [InboxMessage] ([MessageId], [ConsumerId], [Pass], [ConsumedAt], [ExpiresAt]) VALUES (@message, @consumer, @pass, @now, @expires);
END TRY
BEGIN CATCH
  IF ERROR_NUMBER() NOT IN (2601, 2627)
    THROW;
  UPDATE [InboxMessage] SET [Pass] = @pass, [ConsumedAt] = @now, [ExpiresAt] = @expires
  WHERE [MessageId] = @message AND [ConsumerId] = @consumer AND [ConsumedAt] IS NULL AND [Pass] <= @pass;
END CATCH
