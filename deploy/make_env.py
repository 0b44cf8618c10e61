"""`make up` without a `.env`: writes one from `.env.example`, with secrets of its own and readable by its owner alone.

Whatever has no value in the example is a secret. Plain Python without any package.
"""

import os
import pathlib
import re
import secrets
from typing import Final

ROOT: Final = pathlib.Path(__file__).resolve().parent.parent
SECRET_BYTES: Final = 32


def fill(example: str) -> str:
    """The example with a new secret for each variable that has none."""
    return re.sub(r"^([A-Z_]+)=$", lambda match: match[0] + _secret(match[1]), example, flags=re.MULTILINE)


def _secret(name: str) -> str:
    text = secrets.token_urlsafe(SECRET_BYTES)
    return f"k1:{text}" if name == "TOKEN_KEYS" else text


def write(target: pathlib.Path, example: pathlib.Path = ROOT / ".env.example") -> None:
    """Writes the file; raises FileExistsError rather than change one that is there."""
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(fill(example.read_text("utf-8")))


if __name__ == "__main__":
    write(ROOT / ".env")
