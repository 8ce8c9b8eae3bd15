UPDATE "OutboxMessage"
SET "State" = 0, "DueAt" = @due, "Attempts" = 0, "Returns" = 0, "LastError" = NULL, "History" = concat("History", @entry)
WHERE "SequenceNumber" = @id AND "State" = 3
