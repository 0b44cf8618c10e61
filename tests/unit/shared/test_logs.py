"""Logs: neither logger writes a token, a query string or a terminal escape, for any message."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tokens import issue
from shared.tokens.keys import SecretKeys
from shared.web.logging import MAX_FIELD, TRACEBACK, clean
from tools.processes import ROOT

RING = SecretKeys.parse("a:" + "k" * 32)
TOKEN = issue(RING, audience="ingest", subject="x", rooms=["*"], platforms=None, ttl_seconds=60, now_seconds=2**31)

SAY = """
import logging, sys, structlog
from shared.web.logging import configure
configure("test", level="debug", log_format=sys.argv[1])
token = sys.argv[2]
def crash(argument):
    raise RuntimeError(f"with {argument}")
for log in (structlog.get_logger(), logging.getLogger("uvicorn.error")):
    log.warning(f"GET /ws?access_token={token} \\x1b[31m\\nforged")
    try:
        crash(token)
    except RuntimeError:
        log.exception("crashed")
structlog.get_logger().info("fields", subject="eve\\nadmin\\x1b[2J", path=f"/x/{token}", nested=[token, {"a": token}])
"""


def said(log_format: str) -> str:
    """All that both loggers write of a token, a query, a control character and a crash."""
    done = subprocess.run([sys.executable, "-c", SAY, log_format, TOKEN], cwd=ROOT, capture_output=True, text=True, check=True, timeout=100)
    return done.stderr


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_both_loggers_cut_tokens_and_queries(log_format: str) -> None:
    """In messages, in fields, and in a traceback, which has no locals."""
    text = said(log_format)
    assert text.count("RuntimeError") >= 2
    assert [part for part in (TOKEN, *TOKEN.split(".")) if part in text] == []
    assert "access_token" not in text


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_field_cannot_start_a_line_of_its_own(log_format: str) -> None:
    """A line break or an escape in a field stays inside it."""
    text = said(log_format)
    assert "\x1b[2J" not in text
    assert [line for line in text.splitlines() if line.startswith(("forged", "admin"))] == []
    if log_format == "json":
        assert all(json.loads(line)["service"] == "test" for line in text.splitlines())


NAMES = st.text(min_size=1, max_size=5).filter(lambda name: name != TRACEBACK)


@given(st.dictionaries(NAMES, st.text() | st.lists(st.text()) | st.integers()))
def test_a_cleaned_field_is_printable_and_short(fields: dict[str, Any]) -> None:
    """Encoders accept every field, and a terminal executes none."""
    for value in clean(None, "", fields).values():
        for text in value if isinstance(value, list) else [str(value)]:
            assert len(text) <= MAX_FIELD + 1
            assert not {"\n", "\r", "\x1b", "\x00", "\x9b", "\u2028", "\u202e"} & set(text)
            text.encode()


def test_the_id_of_a_token_is_logged_in_full() -> None:
    """The log alone is enough to revoke a token, also where an outside issuer chose an id that looks like a token or a query."""
    ids = ["eyJhbGci.eyJzdWIi.c2lnbmF0", "a?b=c", "a.b.c"]
    assert clean(None, "", {"jti": ids[0], "jtis": ids}) == {"jti": ids[0], "jtis": ids}
    assert clean(None, "", {"jti": "a\x1bb"}) == {"jti": "a\\u001bb"}
    assert "eyJ" not in str(clean(None, "", {"jti": ids[0] + "x" * 128, "detail": ids[0]}))


def test_ordinary_words_stay() -> None:
    """Addresses, versions, module names and accents are not secrets."""
    words = [
        "127.0.0.1",
        "studio-pulse",
        "broadcast_service.websocket.protocol.PulseProtocol",
        "eyes.wide.shut",
        "Zürich ☂",
        "3.11.2",
        "broadcast-a1b2c3",
    ]
    assert clean(None, "", {"words": words})["words"] == words
