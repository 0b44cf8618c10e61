#!/bin/sh
# Lets the containers' users read what they are given of this checkout, which a clone under `umask 077` would keep from them.
# Nothing of it is secret: .env is not among it, and stays as it is.
set -eu
chmod -R go+rX deploy shared ingest_service broadcast_service pyproject.toml requirements.txt 2>/dev/null || {
    echo "The containers cannot read this checkout, and its files are not yours to change. Their owner may run: sh deploy/modes.sh" >&2
    exit 1
}
