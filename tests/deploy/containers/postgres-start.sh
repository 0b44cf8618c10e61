#!/bin/sh
# What deploy/postgres needs of the official image's start: an empty data directory becomes a cluster with a superuser of POSTGRES_USER, and the
# scripts of /docker-entrypoint-initdb.d run once, by a server that listens on its socket alone. Other commands than `postgres` just run.
set -eu
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password
    # shellcheck disable=SC2086 # one word for each option
    initdb --username="$POSTGRES_USER" --pwfile=/tmp/password $POSTGRES_INITDB_ARGS >/dev/null
    rm /tmp/password
    printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    printf "\nlisten_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
    pg_ctl -o "-c listen_addresses=''" -w start >/dev/null
    createdb --username "$POSTGRES_USER" --maintenance-db postgres "$POSTGRES_USER"
    for script in /docker-entrypoint-initdb.d/*.sh; do
        if [ -x "$script" ]; then "$script"; else . "$script"; fi
    done
    pg_ctl -m fast -w stop >/dev/null
fi
exec "$@"
