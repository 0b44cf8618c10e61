"""Header fields of answers that are sent often: their lines are made once."""

from collections.abc import Iterable, Mapping

from uvicorn.protocols.http.httptools_impl import STATUS_LINE


class Fields:
    """Header fields of a response, beside those of its connection and date: as ASGI lists them, and as lines made once."""

    def __init__(self, fields: Mapping[str, str], last: Mapping[str, str] | None = None) -> None:
        """`last` are the fields after `Content-Length`."""
        self._listed, self._last = _listed(fields), _listed(last or {})
        self._lines, self._last_lines = _lines(self._listed), _lines(self._last)
        self._default: list[tuple[bytes, bytes]] = []
        self._heads: dict[int, bytes] = {}

    def listed(self, length: int) -> list[tuple[bytes, bytes]]:
        """The fields of a body of so many bytes."""
        return [*self._listed, (b"content-length", b"%d" % length), *self._last]

    def head(self, default: list[tuple[bytes, bytes]], length: int) -> bytes:
        """The head of a 200 response without the empty line at its end. `default` are the fields that uvicorn puts first.

        It is made once for each length while `default` is the same list, which uvicorn replaces once a second.
        """
        if default is not self._default:
            self._default, self._heads = default, {}
        head = self._heads.get(length)
        if head is None:
            parts = (STATUS_LINE[200], _lines(default), self._lines, b"content-length: %d\r\n" % length, self._last_lines)
            head = self._heads[length] = b"".join(parts)
        return head


def _listed(fields: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in fields.items()]


def _lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in fields)
