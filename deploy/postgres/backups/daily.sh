#!/bin/sh
# Writes a dump of the archive to $BACKUPS once a day and removes all but the newest $KEEP (14). A dump gets its name when it is complete.
# With the argument `once` it writes one and exits. Restore: docs/operations.md.
set -eu
umask 077
keep=${KEEP:-14}

backup() {
    file=$BACKUPS/archive-$(date -u +%Y-%m-%dT%H%M%S).dump
    pg_dump --format custom --no-owner --file "$file.part"
    mv "$file.part" "$file"
    find "$BACKUPS" -name 'archive-*.dump' | sort -r | tail -n +"$((keep + 1))" | while read -r old; do rm -f "$old"; done
}

if [ "${1:-}" = once ]; then
    backup
    exit
fi
pausing=
# $! is known as soon as the pause has begun; a variable assigned after it would miss a signal that comes between both.
trap '[ -z "$pausing" ] || kill "${!:-}" 2>/dev/null; exit 0' TERM INT
while true; do
    # After a failure, such as a server that restarts, it tries again in a minute.
    if backup; then pause=86400; else pause=60; fi
    rm -f "$BACKUPS"/archive-*.part
    pausing=yes
    sleep "$pause" &
    wait "$!" || true
    pausing=
done
