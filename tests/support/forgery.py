"""Forged tokens, made by hand because a good library refuses to make them."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

NEVER_JSON = "not json"


def encode(part: Any) -> str:
    """A segment of a token; text goes in as it is."""
    text = part if isinstance(part, str) else json.dumps(part)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def sign(header: Any, payload: Any, secret: bytes) -> str:
    """A token with an HMAC-SHA-256 signature, for any header."""
    signed = f"{encode(header)}.{encode(payload)}"
    signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def claims(audience: str, **changed: Any) -> dict[str, Any]:
    """Good claims, with changes; a change to None removes the claim."""
    now = int(time.time())
    good = {"iss": "studio-pulse", "aud": audience, "sub": "forger", "iat": now, "exp": now + 600, "jti": "forged", "rooms": ["*"]}
    return {name: value for name, value in (good | changed).items() if value is not None}


def genuine(token_keys: str, audience: str, **changed: Any) -> str:
    """A token signed with the right key."""
    kid, _, secret = token_keys.partition(":")
    return sign({"alg": "HS256", "kid": kid}, claims(audience, **changed), secret.encode())


def bad_headers(kid: str, public_kid: str) -> dict[str, Any]:
    """Headers that lie about the algorithm, the key or the kind of token."""
    return {
        "alg none": {"alg": "none", "kid": kid},
        "alg None": {"alg": "None", "kid": kid},
        "alg missing": {"kid": kid},
        "alg of another strength": {"alg": "HS512", "kid": kid},
        "alg of a public key": {"alg": "RS256", "kid": kid},
        "alg a list": {"alg": ["HS256"], "kid": kid},
        "kid missing": {"alg": "HS256"},
        "kid unknown": {"alg": "HS256", "kid": "unknown"},
        "kid a path": {"alg": "HS256", "kid": "../../dev/null"},
        "kid a list": {"alg": "HS256", "kid": [kid]},
        "kid of a public key": {"alg": "HS256", "kid": public_kid},
        "crit": {"alg": "HS256", "kid": kid, "crit": ["exp"]},
        "crit unknown": {"alg": "HS256", "kid": kid, "crit": ["x"], "x": 1},
        "b64 false": {"alg": "HS256", "kid": kid, "b64": False, "crit": ["b64"]},
        "typ of another kind": {"alg": "HS256", "kid": kid, "typ": "at+jwt"},
        "typ a number": {"alg": "HS256", "kid": kid, "typ": 1},
        "header an array": [kid],
        "header no json": NEVER_JSON,
    }


def bad_claims(audience: str) -> dict[str, Any]:
    """Claims that are missing, of the wrong type, or not of our time; the signature is right."""
    now = int(time.time())
    other = "ingest" if audience == "dashboard" else "dashboard"
    missing = {f"{name} missing": claims(audience, **{name: None}) for name in ("iss", "aud", "sub", "iat", "exp", "jti", "rooms")}
    changed: dict[str, dict[str, Any]] = {
        "expired": {"iat": now - 700, "exp": now - 100},
        "immature by nbf": {"nbf": now + 300},
        "immature by iat": {"iat": now + 300, "exp": now + 900},
        "lives too long": {"exp": now + 400 * 86400},
        "exp before iat": {"exp": now + 1, "iat": now + 30},
        "exp text": {"exp": str(now + 600)},
        "exp fraction": {"exp": now + 600.5},
        "exp infinite": {"exp": float("inf")},
        "nbf infinite": {"nbf": float("inf")},
        "exp true": {"exp": True},
        "iat null": {"iat": [None]},
        "other audience": {"aud": other},
        "other issuer": {"iss": "studio-pulses"},
        "sub empty": {"sub": ""},
        "sub long": {"sub": "x" * 129},
        "sub a number": {"sub": 7},
        "sub with a line break": {"sub": "eve\nadmin"},
        "sub with an escape": {"sub": "eve\x1b[31m"},
        "jti a surrogate": {"jti": "\ud800"},
        "jti a number": {"jti": 7},
        "rooms text": {"rooms": "*"},
        "rooms of numbers": {"rooms": [1]},
        "rooms malformed": {"rooms": ["a*b"]},
        "platforms malformed": {"platforms": ["A"]},
        "platforms text": {"platforms": "camsoda"},
    }
    return missing | {name: claims(audience, **change) for name, change in changed.items()}


def misshapen(token: str) -> dict[str, str]:
    """A good token, damaged."""
    header, payload, signature = token.split(".")
    return {
        "garbage": "garbage",
        "dots": "..",
        "unsigned": f"{header}.{payload}.",
        "two parts": f"{header}.{payload}",
        "five parts": f"{token}.x.y",
        "another payload": f"{header}.{encode(claims('ingest', sub='eve'))}.{signature}",
        "another signature": f"{header}.{payload}.{'A' * len(signature)}",
        "payload no json": f"{header}.{encode(NEVER_JSON)}.{signature}",
        "oversize": token + "A" * 4096,
        "not base64": "!!!.???.***",
    }


def corpus(token_keys: str, audience: str, public_pems: Mapping[str, bytes]) -> dict[str, str]:
    """Every forged token by its fault. The public keys' bytes are tried as shared secrets."""
    kid, _, secret = token_keys.partition(":")
    good = claims(audience)
    header = {"alg": "HS256", "kid": kid}
    public_kid = next(iter(public_pems), "unknown")
    forged = {name: sign(lie, good, secret.encode()) for name, lie in bad_headers(kid, public_kid).items()}
    forged |= {name: sign(header, wrong, secret.encode()) for name, wrong in bad_claims(audience).items()}
    forged |= {"another secret": sign(header, good, b"x" * 32), "claims an array": sign(header, [1], secret.encode())}
    forged |= {f"{kid} as a secret": sign({"alg": "HS256", "kid": kid}, good, pem) for kid, pem in public_pems.items()}
    return forged | misshapen(sign(header, good, secret.encode()))
