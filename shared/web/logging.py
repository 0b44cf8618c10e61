"""Structured logs on stderr: an event name and fields, as JSON lines or, for people, in colour.

Neither tokens nor bodies nor query strings are ever passed to a logger; uvicorn's own request lines, which hold URLs, are off. Because a
library may think otherwise one day, every line of either logger goes through `clean`: what looks like a token is cut out, what a
terminal would obey is escaped, and nothing is long.
"""

import logging
import re
import sys
from collections import Counter
from typing import Any, Final

import structlog

LIBRARY_LINES: Final = 50  # a minute, of each logger of the standard library's
MAX_FIELD: Final = 512
MAX_TRACEBACK: Final = 16_384
TRACEBACK: Final = "exception"
IDS: Final = ("jti", "jtis")  # whole even where they look like a token or a query: with them a token is ended
MAX_ID: Final = 128  # shorter than any token

# A token starts with `{` in base64, whatever its case became on the way.
_TOKEN = re.compile(r"\be[wy][A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*|(?<=bearer )\S+", re.IGNORECASE)
_QUERY = re.compile(r"\?[^\s\"']+")
_OBEYED = re.compile(r"[^\x20-\x7e\xa1-\u2027\u202f-\ud7ff\ue000-\U0010ffff]")  # controls, line and direction marks, lone surrogates


def configure(service: str, *, level: str, log_format: str) -> None:
    """Sends structlog and the standard library's loggers to stderr in one format."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _logger, _name, event: {**event, "service": service},
    ]
    # Without locals in tracebacks: a frame that verifies a token has it in one.
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = console if log_format == "console" else structlog.processors.JSONRenderer()
    last = [structlog.processors.format_exc_info, clean, renderer]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    handler.addFilter(Share())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


class Share(logging.Filter):
    """Lets a library's logger say so much a minute: the server has a line for every malformed request that anyone sends."""

    def __init__(self) -> None:
        super().__init__()
        self._minute = 0
        self._said: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is still within its logger's share; the last one says that there may be more."""
        minute = int(record.created // 60)
        if minute != self._minute:
            self._minute = minute
            self._said.clear()
        self._said[record.name] += 1
        if self._said[record.name] == LIBRARY_LINES:
            record.msg = f"{record.msg} (further lines of this minute are left out)"
        return self._said[record.name] <= LIBRARY_LINES


def clean(_logger: Any, _name: str, event: Any) -> dict[str, Any]:
    """The fields of a line with secrets cut out, controls escaped and lengths bounded; a traceback keeps its lines."""
    return {name: _traceback(value) if name == TRACEBACK else _cleaned(value, is_id=name in IDS) for name, value in event.items()}


def _cleaned(value: Any, *, is_id: bool = False) -> Any:
    if isinstance(value, str):
        shown = value if is_id and len(value) <= MAX_ID else without_secrets(value)
        text = _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", shown)
        return text if len(text) <= MAX_FIELD else text[:MAX_FIELD] + "…"
    if isinstance(value, list | tuple):
        return [_cleaned(item, is_id=is_id) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else _cleaned(str(value))


def _traceback(value: Any) -> str:
    lines = [_OBEYED.sub("?", line) for line in without_secrets(str(value))[:MAX_TRACEBACK].split("\n")]
    return "\n".join(lines)


def without_secrets(text: str) -> str:
    """A text without tokens and without query strings, which may hold anything."""
    return _QUERY.sub("?[cut]", _TOKEN.sub("[cut]", text))
