"""`python -m shared.tokens`: issue a token, or end one everywhere. The token alone goes to stdout."""

import argparse
import asyncio
import re
import sys
import time

import jwt

from shared.redis import RedisError, RedisUrl, Store
from shared.revocations import revoke
from shared.scope import ScopeError
from shared.settings import CommonSettings, SettingsError, TokenSettings, load
from shared.tokens import AUDIENCES, MAX_LIFETIME_SECONDS, KeyringError, issue

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (SettingsError, ScopeError, KeyringError, RedisError) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shared.tokens", description="Issue and revoke Studio Pulse tokens.")
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("issue", help="print a new token")
    new.add_argument("--audience", required=True, choices=AUDIENCES)
    new.add_argument("--subject", required=True, help="who it is for, as shown in logs")
    new.add_argument("--rooms", default="*", help="comma separated ids or prefixes ending in * (default: every room)")
    new.add_argument("--platforms", help="comma separated (default: every platform)")
    new.add_argument("--ttl", type=_duration, default="8h", help="such as 30m, 8h, 90d (default: 8h)")
    new.set_defaults(run=_issue)
    end = commands.add_parser("revoke", help="end a token everywhere within seconds")
    end.add_argument("token", help="the token, or its jti")
    end.set_defaults(run=_revoke)
    return parser


def _duration(text: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd]?)", text)
    if not match:
        raise argparse.ArgumentTypeError("a duration is a number and s, m, h or d, such as 8h")
    return int(match[1]) * _UNITS[match[2] or "s"]


def _list(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _issue(options: argparse.Namespace) -> int:
    if not 0 < len(options.subject) <= 128 or not options.subject.isprintable():
        raise KeyringError("a subject is 1 to 128 printable characters")
    token = issue(
        load(TokenSettings).keyring,
        audience=options.audience,
        subject=options.subject,
        rooms=_list(options.rooms) or ["*"],
        platforms=_list(options.platforms),
        ttl_seconds=options.ttl,
        now_seconds=int(time.time()),
    )
    print(token)
    return 0


def _revoke(options: argparse.Namespace) -> int:
    token_id, until = _identify(options.token)
    asyncio.run(_write(load(CommonSettings).redis_url, token_id, until))
    print(f"revoked {token_id}", file=sys.stderr)
    return 0


def _identify(text: str) -> tuple[str, int]:
    """The `jti` and the second until which it must be remembered. The signature does not matter: ending a forgery harms nobody."""
    forever = int(time.time()) + MAX_LIFETIME_SECONDS
    if text.count(".") != 2:
        return text, forever
    try:
        payload = jwt.decode(text, options={"verify_signature": False})
        return str(payload["jti"]), min(int(payload.get("exp", forever)), forever)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError):
        raise KeyringError("that is neither a token nor a jti") from None


async def _write(url: RedisUrl, token_id: str, until_seconds: int) -> None:
    async with Store(url) as store:
        await revoke(store, token_id, until_seconds)
