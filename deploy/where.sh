#!/bin/sh
# Says where the running stack is, with tokens to try it with.
set -eu
value() { sed -n "s/^$1=//p" .env; }
token() { docker compose run --rm --no-deps -T tokens issue --audience "$1" --subject "$who" --rooms '*' --ttl 30d; }

# The audit log tells people apart by it.
who=${SUDO_USER:-$(id -un)}
domain=$(value DOMAIN)
port=$(value PORT)
url=${domain:+https://$domain}
url=${url:-http://localhost:${port:-3000}}

printf '\n  Studio Pulse runs.\n\n  Dashboard   %s/#token=%s\n\n' "$url" "$(token dashboard)"
printf '  Extension   endpoint %s\n              token    %s\n\n' "$url" "$(token ingest)"
printf '  More tokens: make token. A check: make smoke URL=%s\n\n' "$url"
