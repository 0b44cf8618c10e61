#!/bin/sh
# Replaces the containers of the services without downtime, the worker first because it brings the archive's schema: starts the same number of new containers, waits until they are ready, then
# stops the old ones, whose dashboards reconnect to the new ones. New containers that do not become ready are reported and removed.
set -eu
here=$(dirname "$0")
docker compose build
for service in worker ingest broadcast; do
    old=$(docker compose ps --quiet "$service")
    [ -n "$old" ] || continue # the worker is optional
    count=$(printf '%s\n' "$old" | grep -c .)
    if ! docker compose up --detach --no-deps --no-recreate --wait --scale "$service=$((count * 2))" "$service"; then
        "${PYTHON:-python3}" "$here/up.py" --report
        for container in $(docker compose ps --all --quiet "$service"); do
            case $old in *"$container"*) ;; *) docker rm --force "$container" >/dev/null ;; esac
        done
        echo "The new containers of $service did not become healthy and were removed. The old ones go on." >&2
        exit 1
    fi
    # shellcheck disable=SC2086 # one word for each container
    docker stop --time 15 $old && docker rm $old
done
