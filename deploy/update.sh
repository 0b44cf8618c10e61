#!/bin/sh
# Replaces the containers of both services without a gap: as many new ones join the old ones, and when they are ready the old ones are
# told to stop, which lets their dashboards move over.
set -eu
docker compose build
for service in ingest broadcast; do
    old=$(docker compose ps --quiet "$service")
    count=$(printf '%s\n' "$old" | grep -c .)
    docker compose up --detach --no-deps --no-recreate --wait --scale "$service=$((count * 2))" "$service"
    # shellcheck disable=SC2086 # one word for each container
    docker stop --time 15 $old && docker rm $old
done
