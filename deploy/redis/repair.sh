#!/bin/sh
# Repairs an append-only file with which redis-server does not start: docs/operations.md, "A damaged append-only file".
# It keeps a copy of the original files next to them. Stop the server first. Optional argument: the data directory.
set -eu
cd "${1:-/data}"
name=appendonly.aof
manifest=appendonlydir/$name.manifest
kept=appendonlydir.before-repair-$(date -u +%Y%m%dT%H%M%SZ)
cp -Rp appendonlydir "$kept"
echo "The files as they were: $kept"

# Without the manifest the server would start empty. The list consists of the newest base file and all incremental files.
if ! grep -q '^file ' "$manifest" 2>/dev/null; then
    echo "The manifest is missing or empty. Writing a new one."
    number() { sed -E "s/^$name\.([0-9]+)\..*/\1/"; }
    files() { (cd appendonlydir && ls | grep -E "^$name\.[0-9]+\.$1" || true) | awk -F . '{print $3, $0}' | sort -n | cut -d ' ' -f 2; }
    {
        base=$(files base | tail -n 1)
        [ -z "$base" ] || echo "file $base seq $(echo "$base" | number) type b"
        for file in $(files incr); do echo "file $file seq $(echo "$file" | number) type i"; done
    } >"$manifest.new"
    grep -q . "$manifest.new" || { echo "There is no append-only file here: restore a backup." >&2; exit 1; }
    mv "$manifest.new" "$manifest"
fi
yes | redis-check-aof --fix "$manifest"
