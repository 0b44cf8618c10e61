#!/bin/sh
# Writes a backup of the archive to a new file in backups/, or to the one that is named, and prints its name. It is of the stack of .env,
# else of the local one. The file gets its name when it is complete.
set -eu
umask 077
file=${1:-backups/archive-$(date -u +%Y-%m-%dT%H%M%SZ).backup}
mkdir -p "$(dirname "$file")"
trap 'rm -f "$file.part"' EXIT
if [ -f .env ]; then
    docker compose run --rm --no-deps -T worker python -m worker_service backup - >"$file.part"
else
    DATABASE_URL=${DATABASE_URL:-sqlite:///.local/archive.db} .venv/bin/python -m worker_service backup - >"$file.part"
fi
mv "$file.part" "$file"
echo "$file"
