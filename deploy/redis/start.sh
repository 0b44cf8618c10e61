#!/bin/sh
# Writes the ACL file with the hashes of the users' passwords to a tmpfs and starts redis-server in REDIS_DIRECTORY, by default on the volume.
# Arguments are passed to redis-server.
set -eu
umask 077
here=$(cd "$(dirname "$0")" && pwd)
acl=${TMPDIR:-/tmp}/users.acl
hash() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }

sed -e "s/INGEST_HASH/$(hash "$REDIS_INGEST_PASSWORD")/" -e "s/BROADCAST_HASH/$(hash "$REDIS_BROADCAST_PASSWORD")/" \
    -e "s/WORKER_HASH/$(hash "$REDIS_WORKER_PASSWORD")/" -e "s/TOKENS_HASH/$(hash "$REDIS_TOKENS_PASSWORD")/" \
    -e "s/MONITOR_HASH/$(hash "$REDIS_MONITOR_PASSWORD")/" -e "s/ADMIN_HASH/$(hash "$REDIS_ADMIN_PASSWORD")/" "$here/users.acl" >"$acl"
# Redis writes to its working directory, which in some images is another one, and read-only.
cd "${REDIS_DIRECTORY:-/data}"
exec redis-server "$here/redis.conf" --aclfile "$acl" "$@"
