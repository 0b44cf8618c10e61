"""Ed25519 (RFC 8032 section 5.1) in plain Python, for `make up` and the smoke check, which run without packages.

The services do not use it. It is slow and not constant-time, which is acceptable here: it generates a key once, and signs for a check of
one's own stack, where no attacker can measure the time.
"""

import hashlib
from typing import Final

P: Final = 2**255 - 19
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
D: Final = -121665 * pow(121666, P - 2, P) % P
BASE_Y: Final = 4 * pow(5, P - 2, P) % P

Point = tuple[int, int, int, int]  # extended coordinates: x = X/Z, y = Y/Z, x y = T/Z


def _x_of(y: int) -> int:
    """The even x that belongs to a y."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return P - x if x & 1 else x


BASE: Final[Point] = (_x_of(BASE_Y), BASE_Y, 1, _x_of(BASE_Y) * BASE_Y % P)


def _add(one: Point, other: Point) -> Point:
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % P, (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _multiply(scalar: int, point: Point) -> bytes:
    """A multiple of a point, encoded."""
    total: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point, scalar = _add(point, point), scalar >> 1
    inverse = pow(total[2], P - 2, P)
    x, y = total[0] * inverse % P, total[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _expand(seed: bytes) -> tuple[int, bytes]:
    """The secret scalar and the prefix derived from a seed of 32 bytes."""
    digest = hashlib.sha512(seed).digest()
    number = int.from_bytes(digest[:32], "little")
    return number & ((1 << 254) - 8) | 1 << 254, digest[32:]


def _hash(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % ORDER


def public_key(seed: bytes) -> bytes:
    """The public key of a seed."""
    return _multiply(_expand(seed)[0], BASE)


def sign(seed: bytes, message: bytes) -> bytes:
    """The signature of a message."""
    number, prefix = _expand(seed)
    public, nonce = _multiply(number, BASE), _hash(prefix, message)
    commitment = _multiply(nonce, BASE)
    answer = (nonce + _hash(commitment, public, message) * number) % ORDER
    return commitment + answer.to_bytes(32, "little")
