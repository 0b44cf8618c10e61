#!/bin/sh
# Runs redis-cli as the user admin of the running Redis: docker compose exec redis sh /etc/pulse/cli.sh INFO memory
REDISCLI_AUTH="$REDIS_ADMIN_PASSWORD" exec redis-cli --user admin "$@"
