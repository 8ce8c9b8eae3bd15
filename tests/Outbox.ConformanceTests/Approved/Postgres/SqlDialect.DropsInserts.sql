SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE NOT tgisinternal AND tgtype & 5 = 5 AND tgtype & 66 <> 0)
  OR EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE ev_type = '3')
  OR EXISTS (SELECT FROM pg_catalog.pg_foreign_table)
  OR EXISTS (SELECT FROM "OutboxMessage" WHERE FALSE) AS "Value"
