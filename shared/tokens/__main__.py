"""`python -m shared.tokens`: create a key, issue, inspect or revoke a token. Only the result is printed to stdout.

A token given as `-` is read from stdin, so that it does not appear in the shell's history or in the list of processes.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import json
import os
import re
import secrets
import sys
import time
from typing import Any, Final

import jwt
import structlog

from shared.auth.revocations import listed, revoke
from shared.auth.scope import Scope, ScopeError
from shared.auth.screens import Grant, add_code
from shared.auth.studio_code import StudioCodeError, account_key, room_id, studio_code
from shared.settings import InspectSettings, SettingsError, StoreSettings, TokenSettings, for_all_audiences, for_audience, load
from shared.store.redis import RedisError, RedisUrl, Store
from shared.tokens import AUDIENCES, MAX_LIFETIME_SECONDS, TokenError, issue, verify
from shared.tokens.keys import ED25519, KeyringError, SecretKeys
from shared.web.logging import configure

DEFAULT_TTL_SECONDS: Final = {"ingest": 90 * 86400, "dashboard": 8 * 3600}  # a desk has to keep working after one shift
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MAX_INPUT: Final = 16_384  # bytes read for a `-`

EPILOG: Final = """
environment:
  TOKEN_KEYS         kid:secret or kid:ed25519:seed[,...]; the first one signs (issue, inspect; revoke, if set)
  TOKEN_PUBLIC_KEYS  kid:path-to-PEM[,...]; external issuers, verified only (inspect)
  ACCOUNT_KEY        the secret of account marks (room); default: derived from the first of TOKEN_KEYS
  REDIS_URL          Redis with the list of revoked tokens (revoke, revoked; inspect, if set)

examples:
  python -m shared.tokens keygen
  python -m shared.tokens room --name 'Sala 3' --address https://pulse.example.com
  python -m shared.tokens issue --audience ingest --subject 'Room 12' --rooms 'Room 12' \\
      --platforms chaturbate,stripchat,camsoda --ttl 90d
  python -m shared.tokens inspect - < token.txt
  python -m shared.tokens revoke 5f0c1d9ae27b83466a1d20ce

External issuers sign with RS256, ES256 or EdDSA; list their public keys in TOKEN_PUBLIC_KEYS. docs/operations.md describes key rotation.
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    configure("tokens", level="info", log_format="console" if sys.stderr.isatty() else "json")
    try:
        return int(options.run(options))
    except (SettingsError, ScopeError, KeyringError, StudioCodeError) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
    except (RedisError, OSError, TimeoutError) as error:
        print(f"{options.command}: Redis did not confirm ({type(error).__name__}); the result is unknown, try again", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m shared.tokens",
        description="Keys and tokens of Studio Pulse.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    key = commands.add_parser("keygen", help="print a new kid:secret for TOKEN_KEYS")
    key.add_argument("--kid", help="the key's name: letters, digits, . _ - (default: the date and random letters)")
    key.add_argument("--algorithm", default="HS256", choices=("HS256", "EdDSA"), help="with EdDSA the services need the public key only")
    key.set_defaults(run=_keygen)
    commands.add_parser("public", help="read private keys from stdin and print TOKEN_PUBLIC_KEYS").set_defaults(run=_public)
    new = commands.add_parser("issue", help="print a new token")
    new.add_argument("--audience", required=True, choices=AUDIENCES, help="the service that accepts the token")
    new.add_argument("--subject", required=True, help="the name that logs show")
    new.add_argument("--rooms", required=True, help="room ids or prefixes ending in *, separated by commas; '*' means all rooms")
    new.add_argument("--platforms", help="separated by commas (default: all platforms)")
    new.add_argument(
        "--ttl", type=_duration, help="lifetime, such as 30m, 8h or 90d, at most 366d (default: 90d for ingest, 8h for dashboard)"
    )
    new.set_defaults(run=_issue)
    room = commands.add_parser("room", help="print the studio code of a room: address, room and a new ingest token in one line")
    room.add_argument("--name", required=True, help="the room's name, such as 'Sala 3' or 'Habitación 12'")
    room.add_argument("--address", required=True, help="the address that desks send to, such as https://pulse.example.com")
    room.add_argument("--platforms", help="separated by commas (default: all platforms)")
    room.add_argument("--ttl", type=_duration, help="lifetime, such as 90d, at most 366d (default: 90d)")
    room.set_defaults(run=_room)
    link = commands.add_parser("link", help="print a link that signs one browser in; valid once, for one minute")
    link.add_argument("--url", required=True, help="the dashboard's address, such as https://wall.example.com")
    link.add_argument("--subject", required=True, help="the name that logs show")
    link.add_argument("--rooms", required=True, help="room ids or prefixes ending in *, separated by commas")
    link.add_argument("--platforms", help="separated by commas (default: all platforms)")
    link.add_argument("--keep", type=_duration, default="30d", help="how long the browser stays signed in (default: 30d)")
    link.set_defaults(run=_link)
    look = commands.add_parser("inspect", help="print the claims of a token and whether it is valid; exit status 0 if it is")
    look.add_argument("token", help="the token, or - to read it from stdin")
    look.set_defaults(run=_inspect)
    end = commands.add_parser("revoke", help="revoke a token; effective everywhere within seconds")
    what = end.add_mutually_exclusive_group(required=True)
    what.add_argument("token", nargs="?", help="the token or its jti, or - to read it from stdin")
    what.add_argument("--jti", help="the jti in any form; if it starts with a dash, write --jti=-…")
    end.set_defaults(run=_revoke)
    commands.add_parser("revoked", help="print the jti of every revoked token and the end of its entry").set_defaults(run=_revoked)
    return parser


def _duration(text: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd]?)", text)
    if not match:
        raise argparse.ArgumentTypeError("a duration is a number and s, m, h or d, such as 8h")
    return int(match[1]) * UNITS[match[2] or "s"]


def _list(text: str | None) -> list[str] | None:
    """The names in an argument. An empty one comes from a variable that was not set, and must mean neither all names nor none."""
    if text is None:
        return None
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names:
        raise ScopeError("a list of rooms or platforms is empty")
    return names


def _given(text: str) -> str:
    """An argument, or stdin where it is `-`."""
    return sys.stdin.read(MAX_INPUT).strip() if text == "-" else text


def _moment(seconds: Any) -> Any:
    """A Unix second as people read it; anything else as it is."""
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return seconds


def _keygen(options: argparse.Namespace) -> int:
    kid = options.kid or f"{dt.datetime.now(dt.UTC):%Y-%m-%d}-{secrets.token_hex(2)}"
    line = f"{kid}:{ED25519 if options.algorithm == 'EdDSA' else ''}{secrets.token_urlsafe(32)}"
    if kid not in SecretKeys.parse(line).keys:
        raise KeyringError("a kid is made of letters, digits, . _ -")
    print(line)
    print(
        "append it to TOKEN_KEYS of every service, then move it to the front where tokens are issued, then remove the old key",
        file=sys.stderr,
    )
    return 0


def _check_subject(subject: str) -> None:
    if not 0 < len(subject) <= 128 or not subject.isprintable():
        raise KeyringError("a subject is 1 to 128 printable characters")


def _public(_options: argparse.Namespace) -> int:
    print(SecretKeys.parse(_given("-")).public())
    return 0


def _issue(options: argparse.Namespace) -> int:
    print(_new_token(options, audience=options.audience, subject=options.subject, rooms=_list(options.rooms) or []))
    return 0


def _new_token(options: argparse.Namespace, *, audience: str, subject: str, rooms: list[str]) -> str:
    """A token, recorded in the audit log."""
    _check_subject(subject)
    token = issue(
        load(TokenSettings, for_audience(audience)).keyring,
        audience=audience,
        subject=subject,
        rooms=rooms,
        platforms=_list(options.platforms),
        ttl_seconds=options.ttl or DEFAULT_TTL_SECONDS[audience],
        now_seconds=int(time.time()),
    )
    claims = _unverified(token)
    structlog.get_logger().info(
        "token.issued", audit=True, jti=claims["jti"], subject=subject, audience=audience, expires=_moment(claims["exp"])
    )
    return token


def _room(options: argparse.Namespace) -> int:
    room = room_id(options.name)
    if not Scope.of([room], None).allows(room, "x"):
        raise ScopeError("this name gives no id that the services accept")
    token = _new_token(options, audience="ingest", subject=room, rooms=[room])
    print(studio_code(address=options.address, name=options.name, token=token, mark_key=_mark_key()))
    if room != options.name:
        print(f"the services know this room as {room}", file=sys.stderr)
    return 0


def _mark_key() -> str:
    """The secret of account marks: the environment's, or one derived from the key that signs."""
    if given := os.environ.get("ACCOUNT_KEY", "").strip():
        return given
    return account_key(load(TokenSettings, for_audience("ingest")).keyring.signing_secret)


def _link(options: argparse.Namespace) -> int:
    _check_subject(options.subject)
    rooms, platforms = _list(options.rooms) or [], _list(options.platforms)
    Scope.of(rooms, platforms)
    if options.keep > MAX_LIFETIME_SECONDS:
        raise KeyringError("a browser stays signed in for at most 366 days")
    link_id = f"link-{secrets.token_hex(6)}"
    grant = Grant(options.subject, rooms, platforms, int(time.time()) + options.keep, [link_id], manages=True)
    print(f"{options.url.rstrip('/')}/#code={asyncio.run(_code(load(StoreSettings).redis_url, grant))}")
    structlog.get_logger().info("link.issued", audit=True, jti=link_id, subject=options.subject, expires=_moment(grant.expires_at))
    return 0


async def _code(url: RedisUrl, grant: Grant) -> str:
    async with Store(url) as store:
        return await add_code(store, grant)


def _inspect(options: argparse.Namespace) -> int:
    token, settings = _given(options.token), load(InspectSettings, for_all_audiences())
    claims = _unverified(token)
    header = jwt.get_unverified_header(token)
    ended = None if settings.redis_url is None else claims.get("jti") in asyncio.run(_ended(settings.redis_url))
    state = "revoked" if ended else _state(settings, token, claims)
    report = {"state": state, "revoked": ended, "kid": header.get("kid"), "alg": header.get("alg")}
    report |= {name: claims.get(claim) for name, claim in (("audience", "aud"), ("subject", "sub"), ("jti", "jti"))}
    report |= {name: _moment(claims.get(claim)) for name, claim in (("issued", "iat"), ("expires", "exp"))}
    report |= {name: claims.get(name) for name in ("rooms", "platforms")}
    print(json.dumps(report, indent=1))
    return 0 if state in ("good", "unchecked") else 1


def _state(settings: InspectSettings, token: str, claims: dict[str, Any]) -> str:
    """The state of the token for a service with these keys."""
    if not settings.keyring.keys:
        print("neither TOKEN_KEYS nor TOKEN_PUBLIC_KEYS is set: the signature is not checked", file=sys.stderr)
        return "unchecked"
    try:
        verify(settings.keyring, token, audience=claims["aud"] if claims.get("aud") in AUDIENCES else "none")
    except TokenError:
        expires = claims.get("exp")
        return "expired" if isinstance(expires, int) and expires <= time.time() else "not valid"
    return "good"


def _revoke(options: argparse.Namespace) -> int:
    forever = int(time.time()) + MAX_LIFETIME_SECONDS
    token_id, until = (options.jti, forever) if options.jti is not None else _identify(_given(options.token), forever)
    if not isinstance(token_id, str) or not 0 < len(token_id) <= 128 or not token_id.isprintable():
        raise KeyringError("that is neither a token nor a jti")
    asyncio.run(_end(load(StoreSettings).redis_url, token_id, until))
    structlog.get_logger().warning("token.revoked", audit=True, jti=token_id)
    return 0


def _revoked(_options: argparse.Namespace) -> int:
    for token_id, until in sorted(asyncio.run(_ended(load(StoreSettings).redis_url)).items(), key=lambda item: item[1]):
        print(json.dumps({"jti": token_id, "until": _moment(until)}))
    return 0


def _unverified(token: str) -> dict[str, Any]:
    """The claims of a token, without a check of its signature; raises KeyringError for a text that is no token."""
    try:
        return dict(jwt.decode(token, options={"verify_signature": False}))
    except (jwt.PyJWTError, TypeError, ValueError, RecursionError):
        raise KeyringError("that is not a token") from None


def _identify(text: str, forever: int) -> tuple[Any, int]:
    """The `jti`, and the second until which it must be remembered.

    The expiry in a token counts only if a key of our own signed it. Otherwise a forged copy could end the revocation early; and an external
    issuer may use a `jti` again.
    """
    if text.count(".") != 2:
        return text, forever
    claims, keyring = _unverified(text), load(InspectSettings, for_all_audiences()).keyring
    with contextlib.suppress(TokenError, jwt.PyJWTError, KeyError):
        key = keyring.keys[jwt.get_unverified_header(text)["kid"]]
        verified = verify(keyring, text, audience=claims["aud"] if claims.get("aud") in AUDIENCES else "none")
        if key.signing is not None:
            return verified.token_id, verified.expires_at
    return claims.get("jti"), forever


async def _end(url: RedisUrl, token_id: str, until_seconds: int) -> None:
    async with Store(url) as store:
        await revoke(store, token_id, until_seconds)


async def _ended(url: RedisUrl) -> dict[str, float]:
    async with Store(url) as store:
        return await listed(store)


if __name__ == "__main__":
    raise SystemExit(main())
