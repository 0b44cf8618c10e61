#!/bin/sh
# Runs once, when the server makes its empty data directory: the archive's database, the worker as its owner, and broadcast as a reader.
# Neither is a superuser, and neither can open another database.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv worker POSTGRES_WORKER_PASSWORD
\getenv broadcast POSTGRES_BROADCAST_PASSWORD
CREATE ROLE worker LOGIN PASSWORD :'worker' CONNECTION LIMIT 40;
CREATE ROLE broadcast LOGIN PASSWORD :'broadcast' CONNECTION LIMIT 40;
ALTER ROLE broadcast SET default_transaction_read_only = on;
CREATE DATABASE archive OWNER worker TEMPLATE template0;
REVOKE ALL ON DATABASE archive, postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE archive TO broadcast;
\connect archive
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO worker;
GRANT USAGE ON SCHEMA public TO broadcast;
ALTER DEFAULT PRIVILEGES FOR ROLE worker IN SCHEMA public GRANT SELECT ON TABLES TO broadcast;
SQL
