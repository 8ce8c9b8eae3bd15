INSERT INTO "OutboxLease" ("Partition") VALUES (@partition) ON CONFLICT ("Partition") DO NOTHING
