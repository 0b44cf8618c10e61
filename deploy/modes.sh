#!/bin/sh
# Makes the mounted and copied files of this checkout readable for the containers' users; a clone under `umask 077` is not.
# None of these files is secret. The mode of .env is not changed.
set -eu
chmod -R go+rX deploy shared ingest_service broadcast_service worker_service pyproject.toml requirements.txt \
    requirements-worker.txt requirements-parquet.txt 2>/dev/null || {
    echo "The containers cannot read this checkout, and its files are not yours to change. Their owner may run: sh deploy/modes.sh" >&2
    exit 1
}
