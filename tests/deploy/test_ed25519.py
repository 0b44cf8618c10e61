"""The plain Python that makes the first keys and signs for the smoke check agrees with the library that the services use."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.ed25519 import public_key, sign

# RFC 8032 section 7.1, the first three.
STANDARD = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
    ),
]


@pytest.mark.parametrize(("seed", "public", "message"), STANDARD)
def test_the_examples_of_the_standard(seed: str, public: str, message: str) -> None:
    """Keys as RFC 8032 has them, and signatures as the library makes them."""
    assert public_key(bytes.fromhex(seed)).hex() == public
    library = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    assert sign(bytes.fromhex(seed), bytes.fromhex(message)) == library.sign(bytes.fromhex(message))


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_any_key_signs_as_the_library_does(seed: bytes, message: bytes) -> None:
    """To the byte, since a signature of Ed25519 has no chance in it."""
    library = Ed25519PrivateKey.from_private_bytes(seed)
    assert public_key(seed) == library.public_key().public_bytes_raw()
    assert sign(seed, message) == library.sign(message)
