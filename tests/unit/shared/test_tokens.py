"""Tokens: what opens, what does not, and that nothing but TokenError ever comes out."""

import base64
import pathlib
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from shared.tokens import ISSUER, TokenError, Verifier, bearer, issue, verify
from shared.tokens.keys import SIGNATURES, Keyring, KeyringError, PublicKeys, SecretKeys
from tests.support.forgery import claims, corpus, genuine, sign

KEYS = "first:" + "a" * 32
NEXT = "second:" + "b" * 32
RING = SecretKeys.parse(f"{KEYS},{NEXT}")

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

OUTSIDE: dict[str, PrivateKey] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def pem(key: PrivateKey) -> bytes:
    """The public half."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    """Shared secrets and public keys of every kind."""
    directory = tmp_path_factory.mktemp("keys")
    for name, key in OUTSIDE.items():
        (directory / name).write_bytes(pem(key))
    public = PublicKeys.parse(",".join(f"{name}:{directory / name}" for name in OUTSIDE))
    return Keyring({**public.keys, **RING.keys})


def new(ring: Keyring = RING, *, rooms: list[str] | None = None, ttl_seconds: int = 60, ago: int = 0) -> str:
    """A token of ours."""
    now = int(time.time()) - ago
    return issue(ring, audience="dashboard", subject="ada", rooms=rooms or ["a"], platforms=None, ttl_seconds=ttl_seconds, now_seconds=now)


def test_an_issued_token_verifies() -> None:
    """With the same claims."""
    verified = verify(RING, new(rooms=["a", "vip-*"]), audience="dashboard")
    assert (verified.subject, verified.audience, verified.scope.patterns()) == ("ada", "dashboard", ["a", "vip-*"])


@pytest.mark.parametrize("algorithm", OUTSIDE)
def test_an_outside_issuer_is_verified_by_its_public_key(ring: Keyring, algorithm: str) -> None:
    """Each kind of key verifies its own algorithm only."""
    token = jwt.encode(claims("dashboard"), OUTSIDE[algorithm], algorithm, {"kid": algorithm})
    assert verify(ring, token, audience="dashboard").subject == "forger"


def opens(ring: Keyring, token: str) -> bool:
    """Whether a token is taken; anything but TokenError is an error of the test."""
    try:
        return verify(ring, token, audience="dashboard").audience == "dashboard"
    except TokenError:
        return False


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize(("ahead", "good"), [(-300, True), (0, True), (5, True), (59, True), (60, True), (61, False), (3600, False)])
def test_a_token_may_begin_as_far_ahead_as_it_may_be_issued(claim: str, ahead: int, good: bool) -> None:  # noqa: FBT001
    """An issuer's clock may be a minute ahead, for both claims."""
    now = int(time.time())
    payload = claims("dashboard") | {"iat": now, "exp": now + 7200} | {claim: now + ahead}
    token = sign({"alg": "HS256", "kid": "first"}, payload, b"a" * 32)
    assert _opens_at(token, now) is good


@pytest.mark.parametrize(("ahead", "good"), [(-1e9, True), (-0.5, True), (59.5, True), (60.5, False), (1e300, False)])
def test_a_beginning_may_be_a_fraction(ahead: float, good: bool) -> None:  # noqa: FBT001
    """RFC 7519 allows it."""
    now = int(time.time())
    payload = claims("dashboard") | {"iat": now, "exp": now + 7200, "nbf": now + ahead}
    assert _opens_at(sign({"alg": "HS256", "kid": "first"}, payload, b"a" * 32), now) is good


def _opens_at(token: str, now_seconds: float) -> bool:
    try:
        return verify(RING, token, audience="dashboard", now_seconds=now_seconds).subject == "forger"
    except TokenError:
        return False


@pytest.mark.parametrize("begins", ["x", "5", "", None, True, False, [], [5], {}, float("nan"), float("inf"), "1764000000"])
def test_a_beginning_that_is_no_number_opens_nothing(begins: object) -> None:
    """Text is refused, even text that looks like a number."""
    assert not opens(RING, sign({"alg": "HS256", "kid": "first"}, claims("dashboard") | {"nbf": begins}, b"a" * 32))


VALUES: list[object] = ["studio-pulse", "dashboard", "x", "", None, 0, 1, 1.5, True, [], {}, ["dashboard"], ["x", "dashboard"]]
VALUES += [["dashboard", 1], [["dashboard"]]]
CHANGES = [{name: value} for name in ("iss", "aud", "sub", "jti", "exp", "iat", "rooms") for value in VALUES]


@pytest.mark.parametrize("changed", CHANGES, ids=str)
def test_what_opens_is_valid_by_the_library_as_well(changed: dict[str, object]) -> None:
    """Issuer and audience are judged here; the library, which judges them in many more programs, accepts the same."""
    payload = claims("dashboard") | changed
    token = sign({"alg": "HS256", "kid": "first"}, payload, b"a" * 32)
    options: Any = {"require": ["exp", "iat", "iss", "aud", "sub", "jti"], "verify_iat": False, "verify_nbf": False}
    try:
        jwt.decode(token, b"a" * 32, algorithms=["HS256"], audience="dashboard", issuer=ISSUER, options=options)
        is_valid = True
    except jwt.PyJWTError:
        is_valid = False
    assert is_valid or not opens(RING, token)
    if set(changed) <= {"iss", "aud"}:
        assert opens(RING, token) is is_valid


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "jti", "exp", "iat", "rooms"])
def test_a_token_without_a_claim_opens_nothing(missing: str) -> None:
    payload = {name: value for name, value in claims("dashboard").items() if name != missing}
    assert not opens(RING, sign({"alg": "HS256", "kid": "first"}, payload, b"a" * 32))


@pytest.mark.parametrize("payload", [b"", b"[]", b'"x"', b"null", b"5", b"{", b"\xff", b"[" * 100_000, b'{"iss":"studio-pulse"}{'])
def test_a_signed_text_that_is_no_object_opens_nothing(payload: bytes) -> None:
    token = jwt.PyJWS().encode(payload, b"a" * 32, "HS256", {"kid": "first"})
    assert not opens(RING, token)


NOW = int(time.time())
TEN_HOURS = 36_000  # the tests of a slow machine may begin long after they are collected
GOOD = f'"iss":"studio-pulse","aud":"dashboard","sub":"forger","iat":{NOW},"exp":{NOW + TEN_HOURS},"jti":"forged","rooms":["*"]'
TEXTS = {
    "not a number": f'{{{GOOD},"x":NaN}}',
    "infinite": f'{{{GOOD},"nbf":-Infinity}}',
    "exp twice, the last one over": f'{{{GOOD},"exp":{NOW - 1}}}',
    "aud twice, the last one another": f'{{{GOOD},"aud":"ingest"}}',
    "sub twice, the last one a number": f'{{{GOOD},"sub":7}}',
    "something after the object": f"{{{GOOD}}}x",
    "another object after it": f"{{{GOOD}}}{{}}",
    "a zero byte after it": f"{{{GOOD}}}\0",
    "a mark of byte order": f"\ufeff{{{GOOD}}}",
    "single quotes": f"{{{GOOD}}}".replace('"', "'"),
    "a comma too many": f"{{{GOOD},}}",
    "a comment": f"{{{GOOD}}}//",
    "exp beyond every clock": f'{{{GOOD},"exp":{10**400}}}',
    "iat before every clock": f'{{{GOOD},"iat":-{10**400}}}',
    "nbf beyond every clock": f'{{{GOOD},"nbf":{10**400}}}',
    "nbf beyond every fraction": f'{{{GOOD},"nbf":1e999}}',
    "exp in another notation": f'{{{GOOD},"exp":{NOW + TEN_HOURS}e0}}',
    "exp with a leading zero": f'{{{GOOD},"exp":0{NOW + TEN_HOURS}}}',
    "nested deeply": f'{{{GOOD},"x":{"[" * 1400}{"]" * 1400}}}',
    "half a surrogate in the subject": f'{{{GOOD},"sub":"\\ud800"}}',
    "a line break in the subject": f'{{{GOOD},"sub":"a\nb"}}',
    "an audience of its own kind": f'{{{GOOD},"aud":{{"dashboard":1}}}}',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_signed_text_that_readers_of_json_disagree_about_opens_nothing(text: str) -> None:
    """The signature is right, so the claims alone decide; of a claim that is there twice the last one counts."""
    assert opens(RING, jwt.PyJWS().encode(f"{{{GOOD}}}".encode(), b"a" * 32, "HS256", {"kid": "first"}))
    assert not opens(RING, jwt.PyJWS().encode(text.encode("utf-8", "surrogatepass"), b"a" * 32, "HS256", {"kid": "first"}))


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_claims_in_another_charset_open_nothing(charset: str) -> None:
    """RFC 7519 section 7.2 has UTF-8 alone."""
    text = f'{{{GOOD},"x":"é"}}'
    assert opens(RING, jwt.PyJWS().encode(text.encode(), b"a" * 32, "HS256", {"kid": "first"}))
    assert not opens(RING, jwt.PyJWS().encode(text.encode(charset), b"a" * 32, "HS256", {"kid": "first"}))


@pytest.mark.parametrize(
    "lie",
    [
        {"kid": None},
        {"kid": 1},
        {"kid": {"first": 1}},
        {"kid": ""},
        {"kid": "first "},
        {"alg": "hs256"},
        {"alg": ""},
        {"alg": None},
        {"typ": None},
        {"typ": ["JWT"]},
        {"crit": []},
        {"crit": None},
        {"b64": False},
        {"b64": False, "crit": ["b64"]},
    ],
    ids=str,
)
def test_a_signed_header_that_lies_opens_nothing(lie: dict[str, object]) -> None:
    assert not opens(RING, sign({"alg": "HS256", "kid": "first"} | lie, claims("dashboard"), b"a" * 32))


def _spellings(part: str) -> list[str]:
    """Other spellings of the same bytes, or of nearly the same, that some decoders accept."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet[alphabet.index(part[-1]) ^ 1]
    return [part[:-1] + last, part + "A", part + "\n", " " + part, part[:4] + "\r\n" + part[4:], part[:4] + "=" + part[4:], part + "==="]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_part_in_another_spelling_opens_nothing(number: int) -> None:
    """A spelling that the standard has not is left to the library, which refuses these."""
    parts = genuine(KEYS, "dashboard").split(".")
    for spelling in _spellings(parts[number]):
        assert not opens(RING, ".".join([*parts[:number], spelling, *parts[number + 1 :]]))


def _decoded(reader: Any, segment: bytes) -> bytes | None:
    """What a reader makes of a part, None where it refuses it."""
    try:
        found = reader._decode_base64url_segment(segment, "payload")
    except jwt.DecodeError:
        return None
    assert isinstance(found, bytes)
    return found


URL_SAFE = st.text("ABab01-_", max_size=9).map(str.encode)


@given(
    st.binary(max_size=12)
    | URL_SAFE
    | st.binary(max_size=12).map(base64.urlsafe_b64encode)
    | st.text("Ab0+/-_=\n .", max_size=9).map(str.encode)
)
def test_a_part_is_decoded_as_the_library_decodes_it(segment: bytes) -> None:
    """The short way gives the same bytes, and what it does not take the library decides."""
    assert _decoded(SIGNATURES, segment) == _decoded(jwt.PyJWS(), segment)


def test_the_library_uses_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of the library that reads parts by another method would be right, and slower."""
    taken: list[bytes] = []

    def refuse(segment: bytes, _name: str) -> bytes:
        taken.append(segment)
        raise jwt.DecodeError

    assert opens(RING, genuine(KEYS, "dashboard"))  # the library reads a header that is new, and it is remembered
    monkeypatch.setattr(jwt.PyJWS, "_decode_base64url_segment", staticmethod(refuse))
    assert opens(RING, genuine(KEYS, "dashboard"))
    assert taken == []
    assert not opens(RING, genuine(KEYS, "dashboard") + "=")
    assert taken


def test_a_secret_that_is_a_public_key_is_refused_at_the_start() -> None:
    """Others know its bytes, and the library would refuse each token that they signed."""
    key = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(KeyringError, match="public key"):
        SecretKeys.parse(f"first:{key}")


def test_no_forgery_opens(ring: Keyring) -> None:
    """The corpus includes the bytes of every public key as a shared secret."""
    forged = corpus(KEYS, "dashboard", {name: pem(key) for name, key in OUTSIDE.items()})
    assert [name for name, token in forged.items() if opens(ring, token)] == []


def test_the_corpus_is_forged_from_valid_tokens(ring: Keyring) -> None:
    """The same function without a fault makes a valid token, so each forgery fails for its fault."""
    assert verify(ring, genuine(KEYS, "dashboard"), audience="dashboard").subject == "forger"


def test_keys_rotate() -> None:
    """Both keys verify, the first signs; without the old key its tokens are invalid."""
    old, both, later = SecretKeys.parse(KEYS), SecretKeys.parse(f"{NEXT},{KEYS}"), SecretKeys.parse(NEXT)
    assert (opens(both, new(old)), opens(later, new(both)), opens(later, new(old))) == (True, True, False)


def test_a_remembered_token_expires_on_time() -> None:
    """A cached verification does not outlive the token."""
    verifier, token, now = Verifier(RING, "dashboard"), new(), time.time()
    assert verifier.verify(token, now).subject == "ada"
    with pytest.raises(TokenError):
        verifier.verify(token, now + 61)


@pytest.mark.parametrize("spelled", ["Bearer {}", "bearer {}", "BEARER {}", "Bearer   {}  ", "Bearer \t{}"])
def test_a_token_that_was_verified_is_remembered_however_its_field_is_spelled(spelled: str) -> None:
    verifier, token, now = Verifier(RING, "dashboard"), new(), time.time()
    credential = spelled.format(token).encode()
    with pytest.raises(TokenError):
        verifier.remembered(credential, now)
    claims = verifier.verify(token, now)
    assert verifier.remembered(credential, now) is claims
    with pytest.raises(TokenError):
        verifier.remembered(credential, claims.expires_at)
    with pytest.raises(TokenError):  # it was forgotten
        verifier.remembered(credential, now)


@pytest.mark.parametrize(
    "credential", ["", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer{}", "Bearer {} x", "Bearer {}x", "Bearer x{}", "Bearer {}é"]
)
def test_no_other_field_is_taken_for_that_of_a_token_that_was_verified(credential: str) -> None:
    verifier, token = Verifier(RING, "dashboard"), new()
    verifier.verify(token, time.time())
    for long in ("", "x" * 5000):
        with pytest.raises(TokenError):
            verifier.remembered((credential.format(token) + long).encode("latin-1") if long or credential else b"", time.time())


def test_the_memory_is_bounded() -> None:
    """A producer with ever new tokens uses no more than the bound."""
    verifier = Verifier(RING, "dashboard", remembered=3)
    for _ in range(5):
        verifier.verify(new(), time.time())
    assert len(verifier._claims) == 3


@pytest.mark.parametrize("ttl_seconds", [0, -1, 366 * 86400 + 1])
def test_a_lifetime_is_bounded(ttl_seconds: int) -> None:
    """Neither an endless token nor an expired one is issued."""
    with pytest.raises(KeyringError):
        new(ttl_seconds=ttl_seconds)


@pytest.mark.parametrize(
    "text", ["", "a", "a:", ":" + "x" * 32, "a b:" + "x" * 32, "a:short", f"{KEYS},{KEYS}", f"{KEYS},", "a:" + "x" * 31]
)
def test_a_bad_key_is_refused_without_showing_it(text: str) -> None:
    """The error has the valid form of a key and no part of the given one."""
    with pytest.raises(KeyringError) as refusal:
        SecretKeys.parse(text)
    assert "short" not in str(refusal.value).replace("shorter", "")
    assert "xxx" not in str(refusal.value)


def test_a_weak_public_key_is_refused(tmp_path: pathlib.Path) -> None:
    """Short RSA, another curve, a private key and no key at all."""
    weak = {
        "rsa": pem(rsa.generate_private_key(65537, 1024)),
        "curve": ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "private": OUTSIDE["EdDSA"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "none": b"no key",
    }
    for name, data in weak.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(KeyringError):
            PublicKeys.parse(f"{name}:{tmp_path / name}")


def test_a_key_does_not_show_in_its_repr() -> None:
    """A traceback with locals holds no secret."""
    assert "aaa" not in repr(RING.keys["first"])


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "bearer\t", "Basic x", "Token x", "x", "BearerX y"])
def test_a_header_without_a_bearer_token_is_refused(header: str) -> None:
    with pytest.raises(TokenError):
        bearer(header)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
JSON = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=3)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_text_raises_anything_else(text: str) -> None:
    """Arbitrary text is refused as a bad token."""
    assert not opens(RING, text)


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "zip", "jku", "x5c"]), JSON))
def test_no_signed_header_raises_anything_else(changes: dict[str, object]) -> None:
    """A holder of the key may write any header; it verifies with the key's own algorithm or not at all."""
    token = sign({"alg": "HS256", "kid": "first"} | changes, claims("dashboard"), b"a" * 32)
    assert not opens(RING, token) or changes.get("alg", "HS256") == "HS256"


@given(st.dictionaries(st.sampled_from(["iss", "aud", "sub", "iat", "exp", "nbf", "jti", "rooms", "platforms", "x"]), JSON))
def test_no_signed_claim_raises_anything_else(changes: dict[str, object]) -> None:
    """A holder of the key may write any claim; accepted claims are valid for logs and Redis."""
    try:
        verified = verify(RING, sign({"alg": "HS256", "kid": "first"}, claims("dashboard") | changes, b"a" * 32), audience="dashboard")
    except TokenError:
        return
    assert (verified.subject + verified.token_id).isprintable()
