SELECT set_config(name, 'off', false) FROM pg_catalog.pg_settings WHERE name = 'jit'
