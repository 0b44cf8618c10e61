#!/bin/sh
# Prints the address of the running stack, a link that signs in one browser, and a token for the extension.
set -eu
value() { sed -n "s/^$1=//p" .env; }
tokens() { docker compose run --rm --no-deps -T tokens "$@"; }

# Identifies the person in the audit log.
who=${SUDO_USER:-$(id -un)}
domain=$(value DOMAIN)
port=$(value PORT)
url=${domain:+https://$domain}
url=${url:-http://localhost:${port:-3000}}

printf '\n  Studio Pulse runs.\n\n  Dashboard   %s\n' "$(tokens link --url "$url" --subject "$who" --rooms '*' --keep 90d)"
printf '              works once, within a minute; this browser then stays signed in for 90 days. Another one: make link\n\n'
printf '  Extension   endpoint %s\n              token    %s\n\n' "$url" "$(tokens issue --audience ingest --subject "$who" --rooms '*' --ttl 30d)"
printf '  More tokens: make token. A check: make smoke URL=%s\n\n' "$url"
