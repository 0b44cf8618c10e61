"""`make bench BENCH='--url …'` refuses before it opens a connection, and never shows a token."""

import math
import pathlib
from collections.abc import Mapping

import pytest

from tools.bench import deployment
from tools.bench.processes import BenchError

TOKEN = "head.secret-claims.signature"
WALL = "https://wall.example.com"


def plan(url: str = WALL, *, mine: str = "wall.example.com", bounds: Mapping[str, float] | None = None, **more: str) -> deployment.Plan:
    """A plan with a token, unless `more` says otherwise."""
    given = {"clients": 5, "seconds": 5, "posts": 2, **(bounds or {})}
    environment = {"BENCH_DASHBOARD_TOKEN": TOKEN, **more}
    clients, seconds, posts = int(given["clients"]), given["seconds"], given["posts"]
    return deployment.plan(url, mine=mine, clients=clients, seconds=seconds, posts_per_second=posts, environment=environment)


@pytest.mark.parametrize("mine", ["", "wall.example.org", "example.com", "https://wall.example.com"])
def test_a_host_is_refused_until_its_name_confirms_that_it_is_the_callers(mine: str) -> None:
    """The text says how."""
    with pytest.raises(BenchError, match=r"--mine wall\.example\.com"):
        plan(mine=mine)
    assert plan().url.hostname == "wall.example.com"


@pytest.mark.parametrize("url", ["http://127.0.0.1:3000", "http://localhost:3000", "http://[::1]:3000"])
def test_this_machine_needs_no_confirmation_and_no_tls(url: str) -> None:
    """It is the caller's own."""
    assert plan(url, mine="").url.port == 3000


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://wall.example.com", "https alone"),
        ("http://10.0.0.1", "https alone"),
        ("https://127.0.0.1.example.com", "--mine"),
        ("https://localhost.example.com", "--mine"),
        ("https://anna:word@wall.example.com", "is written like"),
        ("https://wall.example.com?token=a", "is written like"),
        ("https://wall.example.com#a", "is written like"),
        ("https://wall.example.com:port", "is written like"),
        ("https://[wall", "is written like"),
        ("wss://wall.example.com", "is written like"),
        ("wall.example.com", "is written like"),
        ("", "is written like"),
    ],
)
def test_an_address_that_is_not_plainly_the_callers_is_refused(url: str, what: str) -> None:
    """Wherever it is given."""
    with pytest.raises(BenchError, match=what):
        plan(url)
    if url:
        with pytest.raises(BenchError, match=what):
            plan(BENCH_INGEST_URL=url)


def test_readings_are_posted_to_no_host_that_was_not_confirmed() -> None:
    """The token for ingest is as secret as that of a dashboard."""
    with pytest.raises(BenchError, match=r"--mine ingest\.example\.org"):
        plan(BENCH_INGEST_URL="https://ingest.example.org")


@pytest.mark.parametrize(
    ("name", "value"),
    [("clients", 2001), ("clients", 0), ("seconds", 301), ("seconds", 0.5), ("posts", 21), ("posts", -1), ("posts", math.nan)],
)
def test_a_load_beyond_the_bounds_is_refused(name: str, value: float) -> None:
    """Connections, time and posts are bounded for any arguments."""
    with pytest.raises(BenchError, match="is from"):
        plan(bounds={name: value})


def test_tokens_come_from_the_environment_or_from_files_and_are_not_shown(tmp_path: pathlib.Path) -> None:
    """A file's final newline is not part of the token."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}-of-file\n")
    found = plan(BENCH_DASHBOARD_TOKEN="", BENCH_DASHBOARD_TOKEN_FILE=str(file), BENCH_INGEST_TOKEN="ingest-secret")
    assert found.dashboard_token == f"{TOKEN}-of-file"
    assert found.ingest_token == "ingest-secret"
    for shown in (repr(found), str(found), f"{found}"):
        assert "secret" not in shown


@pytest.mark.parametrize(
    "environment",
    [
        {"BENCH_DASHBOARD_TOKEN": ""},
        {"BENCH_DASHBOARD_TOKEN": "secret with spaces"},
        {"BENCH_DASHBOARD_TOKEN": "secret\r\nX-Header: a"},
        {"BENCH_DASHBOARD_TOKEN": "secretñ"},
        {"BENCH_DASHBOARD_TOKEN_FILE": "/no/such/secret"},
        {"BENCH_INGEST_TOKEN": "secret\nsecond line"},
    ],
)
def test_a_token_that_is_missing_or_damaged_is_refused_without_showing_it(environment: dict[str, str]) -> None:
    """The text names the variable."""
    with pytest.raises(BenchError, match=r"BENCH_(DASHBOARD|INGEST)_TOKEN") as refused:
        plan(mine="wall.example.com", bounds=None, **environment)
    assert "secret" not in str(refused.value)


def test_what_was_not_measured_is_not_shown_as_zero() -> None:
    """A run without posts has no delay."""
    shown = deployment.show({"posts": 0, "post_p50_ms": None, "snapshot_p50_ms": 12.34, "failures": {"HTTP 401": 3}})
    assert "post p50 ms" in shown
    assert "not measured" in shown
    assert "3 times HTTP 401" in shown
