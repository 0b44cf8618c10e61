#!/bin/sh
# Moves the archive from the file on its volume to the server of the profile `postgres`. The worker copies on meanwhile, and what it copied
# since the backup it copies again from Redis. If this fails before it writes to .env, the stack is as it was, and it can be run again. After
# that `make up` goes on. The file stays.
set -eu
[ -f .env ] || { echo "There is no stack yet: make up" >&2; exit 1; }
value() { sed -n "s/^$1=//p" .env | tail -n 1; }
if [ -n "$(value WORKER_DATABASE_URL)" ]; then
    echo "WORKER_DATABASE_URL in .env leads the archive elsewhere already." >&2
    exit 1
fi
here=$(dirname "$0")
DATABASE_URL="postgresql+psycopg://worker:$(value POSTGRES_WORKER_PASSWORD)@postgres/archive"
reader="postgresql+psycopg://broadcast:$(value POSTGRES_BROADCAST_PASSWORD)@postgres/archive"
backup=$(sh "$here/backup.sh")
echo "Backup: $backup"
docker compose --profile postgres up --detach --wait postgres
export DATABASE_URL
sh "$here/restore.sh" "$backup"

profiles=$(value COMPOSE_PROFILES)
{
    printf '\n# The archive is in PostgreSQL.\n'
    printf 'COMPOSE_PROFILES=%s\n' "${profiles:+$profiles,}postgres"
    printf 'WORKER_DATABASE_URL=%s\n' "$DATABASE_URL"
    printf 'BROADCAST_DATABASE_URL=%s\n' "$reader"
} >>.env
unset DATABASE_URL
"${PYTHON:-python3}" "$here/../up.py"
echo "The archive is in PostgreSQL."
