#!/bin/sh
# Prints the address of the running stack, a link that signs in one browser, and a token for the extension.
set -eu
value() { sed -n "s/^$1=//p" .env; }

# Identifies the person in the audit log.
who=${SUDO_USER:-$(id -un)}
domain=$(value DOMAIN)
port=$(value PORT)
url=${domain:+https://$domain}
url=${url:-http://localhost:${port:-3000}}

# Both in one container, because starting one takes longer than signing.
# shellcheck disable=SC2016 # the container's shell expands it
script='python -m shared.tokens link --url "$0" --subject "$1" --rooms "*" --keep 90d
python -m shared.tokens issue --audience ingest --subject "$1" --rooms "*" --ttl 30d'
printed=$(docker compose run --rm --no-deps -T --entrypoint sh tokens -e -c "$script" "$url" "$who")

printf '\n  Studio Pulse runs.\n\n  Dashboard   %s\n' "$(printf '%s\n' "$printed" | sed -n 1p)"
printf '              works once, within a minute; this browser then stays signed in for 90 days. Another one: make link\n\n'
printf '  Extension   endpoint %s\n              token    %s\n\n' "$url" "$(printf '%s\n' "$printed" | sed -n 2p)"
printf '  More tokens: make token. A check: make smoke URL=%s\n\n' "$url"
