#!/bin/sh
# Restores a backup of the archive into the stack of .env, else into the local one. DATABASE_URL, where it is set, is the target.
set -eu
[ -r "$1" ] || { echo "There is no backup $1." >&2; exit 1; }
if [ -f .env ]; then
    # The copy of standard input lies on the archive's volume, because /tmp of the container is small.
    docker compose run --rm --no-deps -T --env TMPDIR=/archive ${DATABASE_URL:+--env DATABASE_URL} worker \
        python -m worker_service restore - <"$1"
else
    DATABASE_URL=${DATABASE_URL:-sqlite:///.local/archive.db} .venv/bin/python -m worker_service restore "$1"
fi
