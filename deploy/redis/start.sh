#!/bin/sh
# Writes the users with the hashes of their passwords into memory, and becomes redis-server. More options may follow as arguments.
set -eu
umask 077
here=$(dirname "$0")
acl=${TMPDIR:-/tmp}/users.acl
hash() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }

sed -e "s/INGEST_HASH/$(hash "$REDIS_INGEST_PASSWORD")/" -e "s/BROADCAST_HASH/$(hash "$REDIS_BROADCAST_PASSWORD")/" \
    -e "s/TOKENS_HASH/$(hash "$REDIS_TOKENS_PASSWORD")/" -e "s/MONITOR_HASH/$(hash "$REDIS_MONITOR_PASSWORD")/" \
    -e "s/ADMIN_HASH/$(hash "$REDIS_ADMIN_PASSWORD")/" "$here/users.acl" >"$acl"
exec redis-server "$here/redis.conf" --aclfile "$acl" "$@"
