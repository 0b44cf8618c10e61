#!/bin/sh
# Replaces the containers of the services without downtime, the worker first because it brings the archive's schema: starts the same number of new containers, waits until they are ready, then
# stops the old ones, whose dashboards reconnect to the new ones.
set -eu
docker compose build
for service in worker ingest broadcast; do
    old=$(docker compose ps --quiet "$service")
    [ -n "$old" ] || continue # the worker is optional
    count=$(printf '%s\n' "$old" | grep -c .)
    docker compose up --detach --no-deps --no-recreate --wait --scale "$service=$((count * 2))" "$service"
    # shellcheck disable=SC2086 # one word for each container
    docker stop --time 15 $old && docker rm $old
done
