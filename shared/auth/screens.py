"""Signed-in screens: browsers that stay signed in by a session cookie instead of a token.

A screen is a record in Redis; the browser holds a random secret of which Redis stores the SHA-256 only. A screen comes from one of three
things: a link with a single-use code that an operator printed, a token that a person pasted, or a pairing that a signed-in person
approved. It never sees more and never lives longer than the thing that it came from. `derived_from` names the tokens and screens above
it, so that ending one of them ends it too.

All keys share the hash tag `{screens}`, so that they live on one node. Every function here raises RedisError, OSError or TimeoutError when
Redis does not answer.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from shared.auth.scope import Scope
from shared.contract import keys
from shared.store.redis import Store
from shared.tokens import Claims

CODE_SECONDS: Final = 60
PAIRING_SECONDS: Final = 300
MAX_SCREENS: Final = 2_000
MAX_KEEP_SECONDS: Final = 366 * 86400
# Letters that cannot be taken for one another, read aloud or from five metres away.
PAIRING_ALPHABET: Final = "ACDEFGHJKLMNPQRTUVWXY"
PAIRING_LETTERS: Final = 6


class Grant(Struct, frozen=True):
    """What a code, a token or an approval gives a screen.

    `manages` lets the screen approve, list and end others within its scope. `expires_at` is a Unix second.
    """

    subject: str
    rooms: list[str]
    platforms: list[str] | None
    expires_at: int
    derived_from: list[str] = []
    name: str = ""
    manages: bool = False


class Screen(Struct, frozen=True):
    """A signed-in screen; times are Unix seconds. `lookup` is the SHA-256 of its secret."""

    screen_id: str
    lookup: str
    subject: str
    name: str
    rooms: list[str]
    platforms: list[str] | None
    created_at: int
    expires_at: int
    derived_from: list[str]
    manages: bool = False
    browser: str = ""
    address: str = ""

    def claims(self) -> Claims:
        """What this screen may see, in the form that a token has."""
        scope = Scope.of(self.rooms, self.platforms)
        return Claims(self.subject, "dashboard", self.screen_id, self.expires_at, scope, tuple(self.derived_from))


class Pairing(Struct, frozen=True):
    """A screen that waits for approval. `claim` is the SHA-256 of the secret that only this screen knows."""

    claim: str
    requested_at: int
    expires_at: int
    browser: str
    address: str
    grant: Grant | None = None
    refused: bool = False


class TooManyScreens(Exception):
    """The list of signed-in screens is full."""


T = TypeVar("T")

_screen = msgspec.json.Decoder(Screen)
_grant = msgspec.json.Decoder(Grant)
_pairing = msgspec.json.Decoder(Pairing)


def digest(secret: str) -> str:
    """The SHA-256 of a secret, in hexadecimal: what Redis stores and looks up."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def add_code(store: Store, grant: Grant, seconds: int = CODE_SECONDS) -> str:
    """Stores a grant under a new single-use code, valid for `seconds`; returns the code."""
    code = secrets.token_urlsafe(24)
    await store.owner(keys.SCREENS).set(keys.screen_code(digest(code)), msgspec.json.encode(grant), ex=seconds)
    return code


async def extend_code(store: Store, code: str, seconds: int = CODE_SECONDS) -> bool:
    """Lets an unused code live on for `seconds` from now; False when it was used or has expired."""
    return bool(await store.owner(keys.SCREENS).expire(keys.screen_code(digest(code)), seconds))


async def redeem_code(store: Store, code: str) -> Grant | None:
    """The grant of a code, which is used up by this; None when it was used, has expired or never existed."""
    value = await store.owner(keys.SCREENS).getdel(keys.screen_code(digest(code)))
    return None if value is None else _decode(_grant, value)


async def add_screen(store: Store, grant: Grant, *, browser: str, address: str, now_seconds: int) -> tuple[Screen, str]:
    """Signs a screen in; returns it with its secret. Raises TooManyScreens."""
    redis, secret = store.owner(keys.SCREENS), secrets.token_urlsafe(32)
    screen = Screen(
        screen_id=f"screen-{secrets.token_hex(8)}",
        lookup=digest(secret),
        subject=grant.subject,
        name=grant.name,
        rooms=grant.rooms,
        platforms=grant.platforms,
        created_at=now_seconds,
        expires_at=min(grant.expires_at, now_seconds + MAX_KEEP_SECONDS),
        derived_from=grant.derived_from,
        manages=grant.manages,
        browser=browser,
        address=address,
    )
    if len(await all_screens(store, now_seconds)) >= MAX_SCREENS:
        raise TooManyScreens
    value = msgspec.json.encode(screen)
    await redis.hset(keys.SCREENS, screen.screen_id, value)  # listed first, so that no screen exists that cannot be ended
    await redis.set(keys.screen(screen.lookup), value, exat=screen.expires_at)
    return screen, secret


async def find_screen(store: Store, secret: str) -> Screen | None:
    """The screen whose secret this is; None when it was ended, has expired or never existed."""
    value = await store.owner(keys.SCREENS).get(keys.screen(digest(secret)))
    return None if value is None else _decode(_screen, value)


async def all_screens(store: Store, now_seconds: int) -> list[Screen]:
    """Every screen that is signed in, oldest first; forgets those that have expired."""
    redis = store.owner(keys.SCREENS)
    found: dict[bytes, bytes] = await redis.hgetall(keys.SCREENS)  # type: ignore[assignment]
    screens = {screen_id: _decode(_screen, value) for screen_id, value in found.items()}
    expired = [screen_id for screen_id, screen in screens.items() if screen is None or screen.expires_at <= now_seconds]
    if expired:
        await redis.hdel(keys.SCREENS, *expired)
    living = [screen for screen_id, screen in screens.items() if screen is not None and screen_id not in expired]
    return sorted(living, key=lambda screen: (screen.created_at, screen.screen_id))


async def end_screens(store: Store, screens: Iterable[Screen]) -> None:
    """Signs screens out everywhere: their cookies stop working, and every process closes their sockets within seconds."""
    redis = store.owner(keys.SCREENS)
    for screen in screens:
        await redis.delete(keys.screen(screen.lookup))
        await redis.zadd(keys.ENDED_SCREENS, {screen.screen_id: screen.expires_at})
        await redis.hdel(keys.SCREENS, screen.screen_id)
    await redis.zremrangebyscore(keys.ENDED_SCREENS, "-inf", int(time.time()) - 60)


async def add_pairing(store: Store, *, browser: str, address: str, now_seconds: int) -> tuple[str, str, Pairing]:
    """Starts a pairing; returns the letters to show, the secret that the screen keeps, and the pairing."""
    claim = secrets.token_urlsafe(32)
    pairing = Pairing(digest(claim), now_seconds, now_seconds + PAIRING_SECONDS, browser, address)
    while True:
        letters = "".join(secrets.choice(PAIRING_ALPHABET) for _ in range(PAIRING_LETTERS))
        value = msgspec.json.encode(pairing)
        if await store.owner(keys.SCREENS).set(keys.pairing(letters), value, ex=PAIRING_SECONDS, nx=True):
            return letters, claim, pairing


async def find_pairing(store: Store, letters: str) -> Pairing | None:
    """The pairing with these letters; None when there is none."""
    value = await store.owner(keys.SCREENS).get(keys.pairing(letters))
    return None if value is None else _decode(_pairing, value)


async def decide_pairing(store: Store, letters: str, pairing: Pairing, grant: Grant | None) -> bool:
    """Approves a pairing with a grant, or refuses it with None; False when it has expired meanwhile."""
    decided = msgspec.structs.replace(pairing, grant=grant, refused=grant is None)
    return bool(await store.owner(keys.SCREENS).set(keys.pairing(letters), msgspec.json.encode(decided), xx=True, keepttl=True))


async def claim_pairing(store: Store, letters: str, claim: str) -> Pairing | None:
    """What became of the pairing of the screen that holds `claim`; a decided one is used up by this. None when it is not there."""
    pairing = await find_pairing(store, letters)
    if pairing is None or not hmac.compare_digest(pairing.claim, digest(claim)):
        return None
    decided = pairing.grant is not None or pairing.refused
    if decided and not await store.owner(keys.SCREENS).delete(keys.pairing(letters)):
        return None  # a second request of the same screen was faster
    return pairing


def _decode(decoder: msgspec.json.Decoder[T], value: bytes | str) -> T | None:
    """A stored value; a damaged one counts as absent, so that it signs no browser in."""
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
