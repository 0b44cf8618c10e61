"""A parsed DATABASE_URL. Pure: it opens nothing, imports no database library, and prints no password."""

import pathlib
import re
from typing import Final
from urllib.parse import unquote, urlsplit

_SQLITE: Final = re.compile(r"\Asqlite:///(?P<path>[^?#]+)\Z")
_POSTGRESQL: Final = re.compile(r"\Apostgresql(?:\+psycopg)?://(?P<rest>[^\s#]+)\Z")
_DATABASE: Final = re.compile(r"\A/[^/]+\Z")


class DatabaseUrl:
    """Where the archive is: a file of SQLite, or a database of PostgreSQL. `text` is the URL as SQLAlchemy reads it."""

    def __init__(self, text: str, path: pathlib.Path | None, shown: str) -> None:
        self.text = text
        self.path = path
        self._shown = shown

    @classmethod
    def parse(cls, text: str) -> "DatabaseUrl":
        """Reads one of the forms of docs/operations.md; raises ValueError without the URL, which can contain a password."""
        if match := _SQLITE.match(text):
            path = match["path"]
            if path.endswith("/") or path == ":memory:":
                raise ValueError(
                    "an archive in SQLite is a file; after sqlite:/// follows its path, which for an absolute one begins with /"
                )
            return cls(text, pathlib.Path(path), text)
        if not (match := _POSTGRESQL.match(text)):
            raise ValueError("neither SQLite nor PostgreSQL is named; a password is percent-encoded")
        return _postgresql(match["rest"])

    @property
    def is_sqlite(self) -> bool:
        """Whether the archive is a file."""
        return self.path is not None

    def __repr__(self) -> str:
        """The URL without user, password and options."""
        return self._shown


def _postgresql(rest: str) -> DatabaseUrl:
    try:
        parts = urlsplit(f"//{rest}")
        _ = parts.port
    except ValueError:
        raise ValueError("host and port cannot be read; a password is percent-encoded") from None
    if not _DATABASE.match(parts.path):
        raise ValueError("the name of the database follows the host, after one slash; a password is percent-encoded")
    if not parts.username:
        raise ValueError("the user is missing before the host")
    host = parts.netloc.rpartition("@")[2]
    return DatabaseUrl(f"postgresql+psycopg://{rest}", None, f"postgresql+psycopg://{host}/{unquote(parts.path[1:])}")
