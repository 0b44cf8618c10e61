"""The keys that sign and verify tokens, as settings name them: shared secrets, our own Ed25519 keys, and PEM files of other issuers."""

import base64
import binascii
import pathlib
import re
from collections.abc import Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import HMACAlgorithm
from msgspec import Struct

MIN_SECRET_BYTES: Final = 32
ED25519: Final = "ed25519:"  # what a key in a setting starts with that is neither a secret nor a path

_KID = re.compile(r"\A[A-Za-z0-9._-]{1,64}\Z")


class KeyringError(ValueError):
    """A key setting is malformed; the text never holds key material."""


class Key(Struct, frozen=True):
    """Verification material bound to one algorithm, and what signs, where that is known; `repr` shows none of it."""

    algorithm: str
    material: Any
    signing: Any = None

    def __repr__(self) -> str:
        return f"Key({self.algorithm})"


class Keyring:
    """Keys by `kid`, in the order given: the first one that can sign does."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
        self.keys = keys

    @property
    def signing_kid(self) -> str:
        """The `kid` that signs; raises KeyringError when there are public keys alone."""
        for kid, key in self.keys.items():
            if key.signing is not None:
                return kid
        raise KeyringError("no key to sign with")

    @property
    def signing_secret(self) -> bytes:
        """The bytes of the key that signs, to derive other secrets from; raises KeyringError when there are public keys alone."""
        signing = self.keys[self.signing_kid].signing
        return signing if isinstance(signing, bytes) else bytes(signing.private_bytes_raw())


class SecretKeys(Keyring):
    """`TOKEN_KEYS`: shared secrets for HS256, and private keys for EdDSA."""

    @classmethod
    def parse(cls, text: str) -> "SecretKeys":
        """Reads `kid:secret` or `kid:ed25519:seed`, comma separated; raises KeyringError."""
        return cls({kid: _secret_key(secret) for kid, secret in _pairs(text).items()})

    def public(self) -> str:
        """The value of TOKEN_PUBLIC_KEYS that verifies what these keys sign; raises KeyringError for a shared secret, which has none."""
        if any(key.algorithm != "EdDSA" for key in self.keys.values()):
            raise KeyringError("a shared secret has no public half")
        return ",".join(f"{kid}:{ED25519}{_unpadded(key.material.public_bytes_raw())}" for kid, key in self.keys.items())


class PublicKeys(Keyring):
    """`TOKEN_PUBLIC_KEYS`: keys that a service can verify but not sign with."""

    @classmethod
    def parse(cls, text: str) -> "PublicKeys":
        """Reads `kid:path-to-PEM` or `kid:ed25519:key`, comma separated; raises KeyringError."""
        return cls({kid: _public_key(value) for kid, value in _pairs(text).items()})


def _pairs(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in text.split(","):
        kid, separator, value = item.strip().partition(":")
        if not separator or not _KID.match(kid) or not value:
            raise KeyringError("each key is kid:value, the kid of letters, digits, . _ -")
        if kid in pairs:
            raise KeyringError("a kid is listed twice")
        pairs[kid] = value
    return pairs


def _secret_key(text: str) -> Key:
    if text.startswith(ED25519):
        private = ed25519.Ed25519PrivateKey.from_private_bytes(_raw(text))
        return Key("EdDSA", private.public_key(), private)
    if len(text.encode()) < MIN_SECRET_BYTES:
        raise KeyringError(f"a secret is shorter than {MIN_SECRET_BYTES} bytes")
    try:
        secret = HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(text)
    except jwt.InvalidKeyError:
        raise KeyringError("a secret is a public key, a certificate or a JWK, which others may know") from None
    return Key("HS256", secret, secret)


def _raw(text: str) -> bytes:
    """The 32 bytes of a key in base64url; raises KeyringError."""
    encoded = text.removeprefix(ED25519)
    try:
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        raw = b""
    if len(raw) != 32 or _unpadded(raw) != encoded:
        raise KeyringError(f"what follows {ED25519} is 32 bytes in base64url")
    return raw


def _unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _public_key(text: str) -> Key:
    if text.startswith(ED25519):
        return Key("EdDSA", ed25519.Ed25519PublicKey.from_public_bytes(_raw(text)))
    try:
        key = load_pem_public_key(pathlib.Path(text).read_bytes())
    except (OSError, ValueError) as error:
        raise KeyringError("a public key file cannot be read as PEM") from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
        return Key("RS256", key)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return Key("ES256", key)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return Key("EdDSA", key)
    raise KeyringError("a public key is neither RSA of 2048 bits or more, nor P-256, nor Ed25519")


class _PreparedSecrets(HMACAlgorithm):
    """HS256 with secrets that `SecretKeys` has prepared. The library prepares a secret again for each token, which takes 25 µs."""

    def prepare_key(self, key: str | bytes) -> bytes:
        """The secret as it is."""
        assert isinstance(key, bytes)
        return key


class _Signatures(jwt.PyJWS):
    """The library's reader of tokens, with a short way for parts that are spelled as the standard spells them."""

    @staticmethod
    def _decode_base64url_segment(segment: bytes, name: str) -> bytes:
        """The bytes of a part. The library looks at each character, which takes half of a verification.

        A part that is what its own bytes encode to has no other character, no padding and no unused bits, so the library would accept it.
        About every other part the library decides.
        """
        try:
            decoded = binascii.a2b_base64(segment.translate(_TO_STANDARD) + b"=" * (-len(segment) % 4))
        except binascii.Error:
            decoded = b""
        if decoded and binascii.b2a_base64(decoded, newline=False).rstrip(b"=").translate(_TO_URL_SAFE) == segment:
            return decoded
        return jwt.PyJWS._decode_base64url_segment(segment, name)  # noqa: SLF001 - the method that this one shortens


_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_TO_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def _signatures() -> jwt.PyJWS:
    found = _Signatures(options={"enforce_minimum_key_length": True})
    found.unregister_algorithm("HS256")
    found.register_algorithm("HS256", _PreparedSecrets(HMACAlgorithm.SHA256))
    return found


SIGNATURES: Final = _signatures()
