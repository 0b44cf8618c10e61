"""Structured logs on stderr: an event name and fields, as JSON lines or, for people, in colour.

Tokens, bodies and query strings are never passed to a logger; uvicorn's own request lines, which contain URLs, are off. In case a library
logs them nevertheless, every line goes through `clean`: text that looks like a token is removed, terminal control characters are escaped,
and lengths are limited.
"""

import logging
import re
import sys
from collections import Counter
from typing import Any, Final

import structlog

LIBRARY_LINES: Final = 50  # per minute, of each logger of the standard library
MAX_FIELD: Final = 512
MAX_TRACEBACK: Final = 16_384
TRACEBACK: Final = "exception"
IDS: Final = ("jti", "jtis")  # kept even if they look like a token or a query: an operator revokes a token by its id
MAX_ID: Final = 128  # shorter than any token

# A token starts with `{` in base64, in any case.
_TOKEN = re.compile(r"\be[wy][A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*|(?<=bearer )\S+", re.IGNORECASE)
_QUERY = re.compile(r"\?[^\s\"']+")
_CONTROLS = re.compile(r"[^\x20-\x7e\xa1-\u2027\u202f-\ud7ff\ue000-\U0010ffff]")  # controls, line and direction marks, lone surrogates


def configure(service: str, *, level: str, log_format: str) -> None:
    """Sends structlog and the standard library's loggers to stderr in one format."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _logger, _name, event: {**event, "service": service},
    ]
    # Without local variables in tracebacks: frames that verify a token contain it.
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
    """Limits the lines per minute of each library logger: the server logs a line for every malformed request."""

    def __init__(self) -> None:
        super().__init__()
        self._minute = 0
        self._written: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is within its logger's limit; the last one says that further lines are omitted."""
        minute = int(record.created // 60)
        if minute != self._minute:
            self._minute = minute
            self._written.clear()
        self._written[record.name] += 1
        if self._written[record.name] == LIBRARY_LINES:
            record.msg = f"{record.msg} (further lines of this minute are left out)"
        return self._written[record.name] <= LIBRARY_LINES


def clean(_logger: Any, _name: str, event: Any) -> dict[str, Any]:
    """The fields of a line without secrets, with controls escaped and lengths limited; a traceback keeps its line breaks."""
    return {name: _traceback(value) if name == TRACEBACK else _cleaned(value, is_id=name in IDS) for name, value in event.items()}


def _cleaned(value: Any, *, is_id: bool = False) -> Any:
    if isinstance(value, str):
        shown = value if is_id and len(value) <= MAX_ID else without_secrets(value)
        text = _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", shown)
        return text if len(text) <= MAX_FIELD else text[:MAX_FIELD] + "…"
    if isinstance(value, list | tuple):
        return [_cleaned(item, is_id=is_id) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else _cleaned(str(value))


def _traceback(value: Any) -> str:
    lines = [_CONTROLS.sub("?", line) for line in without_secrets(str(value))[:MAX_TRACEBACK].split("\n")]
    return "\n".join(lines)


def without_secrets(text: str) -> str:
    """A text without tokens and query strings."""
    return _QUERY.sub("?[cut]", _TOKEN.sub("[cut]", text))
