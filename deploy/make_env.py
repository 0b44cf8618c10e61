"""Writes `.env` from `.env.example` with new random secrets, readable only by its owner. `make up` and `make update` run it.

Every variable without a value in the example is a secret. An existing `.env` keeps its values; passwords that a later version of the
example names, and that it lacks, are added at its end. Uses only the standard library.
"""

import base64
import os
import pathlib
import re
import runpy
import secrets
from collections.abc import Callable
from typing import Final

ROOT: Final = pathlib.Path(__file__).resolve().parent.parent
PUBLIC_KEY: Final[Callable[[bytes], bytes]] = runpy.run_path(str(ROOT / "deploy" / "ed25519.py"))["public_key"]  # deploy is no package
SECRET_BYTES: Final = 32


def fill(example: str) -> str:
    """The example with a new secret for each empty variable; public keys match their private keys."""
    made = _keys("INGEST") | _keys("DASHBOARD")
    return re.sub(
        r"^([A-Z_]+)=$",
        lambda match: match[0] + (made.get(match[1]) or secrets.token_urlsafe(SECRET_BYTES)),
        example,
        flags=re.MULTILINE,
    )


def _keys(audience: str) -> dict[str, str]:
    """A private key for an audience, and its public key."""
    seed = secrets.token_bytes(SECRET_BYTES)
    named = f"{audience.lower()}-1:ed25519:"
    return {f"{audience}_TOKEN_KEYS": named + _base64(seed), f"{audience}_PUBLIC_KEYS": named + _base64(PUBLIC_KEY(seed))}


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def write(target: pathlib.Path, example: pathlib.Path = ROOT / ".env.example") -> None:
    """Writes the file. Raises FileExistsError if it exists."""
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(fill(example.read_text("utf-8")))


def complete(target: pathlib.Path, example: pathlib.Path = ROOT / ".env.example") -> list[str]:
    """Adds a new secret for each password that a `.env` does not name; returns their names. What the file has is not changed."""
    text = target.read_text("utf-8")
    missing = [
        name for name in re.findall(r"(?m)^([A-Z_]+_PASSWORD)=$", example.read_text("utf-8")) if not re.search(rf"(?m)^\s*{name}\s*=", text)
    ]
    if missing:
        lines = "".join(f"{name}={secrets.token_urlsafe(SECRET_BYTES)}\n" for name in missing)
        with target.open("a", encoding="utf-8") as file:
            file.write(("" if text.endswith("\n") or not text else "\n") + lines)
    return missing


def main() -> None:
    """Writes or completes the `.env` of this checkout, and prints the names that it added."""
    target = ROOT / ".env"
    if not target.exists():
        write(target)
    elif added := complete(target):
        print(f"Added to .env: {', '.join(added)}.")  # noqa: T201 - a command line


if __name__ == "__main__":
    main()
