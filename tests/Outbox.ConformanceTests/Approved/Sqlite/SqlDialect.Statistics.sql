SELECT
  (SELECT count(*) FROM (SELECT 1 AS x FROM "OutboxMessage" WHERE "State" = 0 AND "DueAt" IS NULL LIMIT 100000) r) AS "Ready",
  (SELECT count(*) FROM (SELECT 1 AS x FROM "OutboxMessage" WHERE "State" = 0 AND "DueAt" IS NOT NULL LIMIT 100000) w) AS "Waiting",
  (SELECT count(*) FROM (SELECT 1 AS x FROM "OutboxMessage" WHERE "Holds" = TRUE LIMIT 100000) h) AS "Holding",
  (SELECT count(*) FROM (SELECT 1 AS x FROM "OutboxMessage" WHERE "State" = 2 AND "State" <> 0 LIMIT 100000) d) AS "Dead",
  (SELECT count(*) FROM (SELECT 1 AS x FROM "OutboxMessage" WHERE "State" = 3 AND "DueAt" IS NOT NULL LIMIT 100000) p) AS "Prepared",
  (SELECT count(*) FROM (SELECT 1 AS x FROM "OutboxMessage" WHERE "State" = 3 AND "DueAt" IS NULL LIMIT 100000) u) AS "Undecided",
  (SELECT m."CreatedAt" FROM "OutboxMessage" m WHERE m."State" = 3 AND m."State" <> 0 ORDER BY m."SequenceNumber" LIMIT 1) AS "OldestPreparedAt",
  (SELECT min(o.at) FROM (
    SELECT (SELECT m."CreatedAt" FROM "OutboxMessage" m
            WHERE m."Partition" = l."Partition" AND m."State" = 0 AND m."DueAt" IS NULL
            ORDER BY m."SequenceNumber" LIMIT 1) AS at
    FROM "OutboxLease" l) o) AS "OldestReadyAt"
