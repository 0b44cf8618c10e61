#!/bin/sh
# redis-cli as the administrator of the running store: docker compose exec redis sh /etc/pulse/cli.sh INFO memory
REDISCLI_AUTH="$REDIS_ADMIN_PASSWORD" exec redis-cli --user admin "$@"
