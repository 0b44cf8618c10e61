"""Tokens: claims, signing and verification (RFC 7519, RFC 8725), and `python -m shared.tokens`.

One key per `kid`, one algorithm per key (`keys`): the token's header chooses a key, never an algorithm. All faults of a token give the
caller one error with one text. Verification is pure; revocation is `shared.auth.revocations`.
"""

import functools
import hashlib
import secrets
import time
from collections.abc import Container
from typing import Any, Final

import jwt
import msgspec
from msgspec import UNSET, Struct, UnsetType

from shared.auth.scope import Scope, ScopeError
from shared.contract.codec import UNREADABLE
from shared.tokens.keys import SIGNATURES, Keyring, KeyringError

ISSUER: Final = "studio-pulse"
AUDIENCES: Final = ("ingest", "dashboard")
MAX_TOKEN_BYTES: Final = 4000  # so that an `auth` message with it stays below 4 KiB
MAX_LIFETIME_SECONDS: Final = 366 * 86400
CLOCK_SKEW_SECONDS: Final = 60  # how far ahead an issuer's clock may be


class TokenError(Exception):
    """The token is not valid here; deliberately without detail."""


class Claims(Struct, frozen=True):
    """The verified content of a token, or what a signed-in screen may do; `expires_at` in Unix seconds.

    `derived_from` names the tokens and screens that a screen came from: ending one of them ends it too.
    """

    subject: str
    audience: str
    token_id: str
    expires_at: int
    scope: Scope
    derived_from: tuple[str, ...] = ()

    def is_ended(self, ended: Container[str]) -> bool:
        """Whether this, or a token or screen that it came from, is among the ended ids."""
        return self.token_id in ended or any(token_id in ended for token_id in self.derived_from)


def issue(
    keyring: Keyring, *, audience: str, subject: str, rooms: list[str], platforms: list[str] | None, ttl_seconds: int, now_seconds: int
) -> str:
    """Signs a token with the ring's first key that can; raises ScopeError or KeyringError."""
    Scope.of(rooms, platforms)
    if not 0 < ttl_seconds <= MAX_LIFETIME_SECONDS:
        raise KeyringError("a token lives between 1 second and 366 days")
    kid = keyring.signing_kid
    payload: dict[str, Any] = {
        "iss": ISSUER,
        "aud": audience,
        "sub": subject,
        "iat": now_seconds,
        "exp": now_seconds + ttl_seconds,
        "jti": secrets.token_hex(12),  # never with a dash in front, which a command line would take for an option
        "rooms": rooms,
    }
    if platforms is not None:
        payload["platforms"] = platforms
    key = keyring.keys[kid]
    return jwt.encode(payload, key.signing, key.algorithm, {"kid": kid})


def verify(keyring: Keyring, token: str, *, audience: str, now_seconds: float | None = None) -> Claims:
    """Checks signature, times, issuer and audience; raises TokenError for any fault."""
    now = time.time() if now_seconds is None else now_seconds
    try:
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise TokenError
        header = _header(token.partition(".")[0])
        key = keyring.keys[header["kid"]]
        if header.get("alg") != key.algorithm or header.get("typ", "JWT") != "JWT" or "crit" in header:
            raise TokenError
        payload = SIGNATURES.decode_complete(token, key.material, algorithms=[key.algorithm])["payload"]
        text = payload.decode()  # also what the decoder skips has to be UTF-8
        return _claims(_decode_payload(text), audience, now)
    except (jwt.PyJWTError, ScopeError, *UNREADABLE, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        raise TokenError from None


@functools.lru_cache(maxsize=64)  # all tokens of a key begin alike, and PyJWT reads each part twice if it is asked for the header first
def _header(segment: str) -> dict[str, Any]:
    """The header in the first part of a token; the other parts are not read. Raises PyJWTError."""
    return jwt.get_unverified_header(f"{segment}.e30.")


class _Payload(Struct, gc=False):
    """The claims of a token whose signature is right; each has its type. Other claims are ignored (RFC 7519 section 4)."""

    iss: str
    aud: str | list[str]  # a token may name one audience or several (RFC 7519 section 4.1.3)
    sub: str
    iat: int
    exp: int
    jti: str
    rooms: list[str]
    platforms: list[str] | None = None
    nbf: int | float | UnsetType = UNSET  # a number where there is one (RFC 7519 section 4.1.5)


_decode_payload: Final = msgspec.json.Decoder(_Payload).decode


def _claims(payload: _Payload, audience: str, now_seconds: float) -> Claims:
    if payload.iss != ISSUER or audience not in ((payload.aud,) if isinstance(payload.aud, str) else payload.aud):
        raise TokenError
    begins_at, latest = payload.nbf, now_seconds + CLOCK_SKEW_SECONDS  # as an issuer's clock may see it
    if payload.iat > latest or not 0 < payload.exp - payload.iat <= MAX_LIFETIME_SECONDS:
        raise TokenError
    if payload.exp <= now_seconds or (begins_at is not UNSET and begins_at > latest):
        raise TokenError
    scope = _scope_of(tuple(payload.rooms), None if payload.platforms is None else tuple(payload.platforms))
    return Claims(_name(payload.sub), audience, _name(payload.jti), payload.exp, scope)


@functools.lru_cache(maxsize=64)  # most tokens of a studio have the same scope; claims that share it take less memory as well
def _scope_of(rooms: tuple[str, ...], platforms: tuple[str, ...] | None) -> Scope:
    """The scope of a token; raises ScopeError, which is not remembered."""
    return Scope.of(rooms, platforms)


def _name(value: str) -> str:
    """Text that logs and Redis can take as it is: neither line breaks nor escapes, nor surrogates that no encoder accepts."""
    if not 0 < len(value) <= 128 or not value.isprintable():
        raise TokenError
    return value


class Verifier:
    """Verifies tokens of one audience, and remembers the valid ones.

    A producer sends the same token every five seconds, and a dashboard that connects again the one that it had. The memory holds claims by
    the SHA-256 of `Bearer` and their token, and no token. It is bounded and holds only what passed; expiry is checked at every use.
    """

    def __init__(self, keyring: Keyring, audience: str, *, remembered: int = 4096) -> None:
        self._keyring = keyring
        self._audience = audience
        self._max_remembered = remembered
        self._claims: dict[bytes, Claims] = {}

    def verify(self, token: str, now_seconds: float) -> Claims:
        """The token's claims; raises TokenError."""
        claims = self._find(token, now_seconds)
        if claims is None:
            claims = verify(self._keyring, token, audience=self._audience, now_seconds=now_seconds)
            if len(self._claims) >= self._max_remembered:
                self._claims.pop(next(iter(self._claims)))
            self._claims[_digest(token)] = claims
        return claims

    def remembered(self, credential: bytes, now_seconds: float) -> Claims:
        """The claims of the token in an `Authorization` field, if it was verified before; raises TokenError for all others.

        That costs no more than two hashes.
        """
        claims = None
        if len(credential) <= len(_USUAL_SCHEME) + MAX_TOKEN_BYTES:
            claims = self._of_digest(hashlib.sha256(credential).digest(), now_seconds)
        if claims is None:
            claims = self._find(bearer(credential.decode("latin-1")), now_seconds)
        if claims is None:
            raise TokenError
        return claims

    def _find(self, token: str, now_seconds: float) -> Claims | None:
        return None if len(token) > MAX_TOKEN_BYTES else self._of_digest(_digest(token), now_seconds)

    def _of_digest(self, digest: bytes, now_seconds: float) -> Claims | None:
        claims = self._claims.get(digest)
        if claims is not None and claims.expires_at <= now_seconds:
            del self._claims[digest]
            return None
        return claims


_USUAL_SCHEME: Final = b"Bearer "


def _digest(token: str) -> bytes:
    return hashlib.sha256(_USUAL_SCHEME + token.encode(errors="surrogatepass")).digest()


def bearer(header: str) -> str:
    """The token of an `Authorization` header (RFC 6750); raises TokenError."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenError
    return token.strip()
