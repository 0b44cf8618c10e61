"""Settings: one error names every bad variable with its valid form, and repeats no secret."""

from typing import Any

import msgspec
import pytest

from broadcast_service.settings import BroadcastSettings
from ingest_service.settings import IngestSettings
from shared.settings import SettingsError, load
from shared.web.startup import read_arguments
from worker_service.commands import run_command
from worker_service.settings import WorkerSettings

GOOD = {"REDIS_URL": "redis://127.0.0.1:6379/0", "TOKEN_KEYS": "a:" + "k" * 32}
BAD = {
    "REDIS_URL": "http://user:canary@host",
    "TOKEN_KEYS": "a:canary",
    "TELEMETRY_SHARDS": "0",
    "TELEMETRY_TTL_SECONDS": "soon",
    "HISTORY_STEP_SECONDS": "61.5",
    "HISTORY_RETENTION_DAYS": "-1",
    "ALLOWED_ORIGINS": "https://*.example",
    "INGEST_PORT": "65536",
    "RATE_LIMIT_ROOM_PER_SECOND": "nan",
    "BODY_TIMEOUT_SECONDS": "0",
    "LOG_LEVEL": "loud",
}


def test_defaults_need_two_variables() -> None:
    """The store and a key; all others have a default."""
    settings = load(IngestSettings, GOOD)
    assert (settings.ingest_port, settings.telemetry_ttl_seconds, settings.keyring.signing_kid) == (8001, 3600, "a")


def test_every_bad_variable_is_named_at_once() -> None:
    """One start shows the whole list."""
    with pytest.raises(SettingsError) as refusal:
        load(IngestSettings, BAD)
    assert sorted(problem.split()[0] for problem in refusal.value.problems) == sorted(BAD)
    assert "canary" not in str(refusal.value)


def test_missing_variables_are_named() -> None:
    """With their valid form."""
    with pytest.raises(SettingsError) as refusal:
        load(BroadcastSettings, {})
    assert sorted(problem.split()[0] for problem in refusal.value.problems) == ["REDIS_URL", "TOKEN_KEYS"]


@pytest.mark.parametrize("step", ["7", "59", "61", "0", "300"])
def test_a_step_divides_a_minute(step: str) -> None:
    """The page asks for minutes, and a step that is asked for is made of whole recorded ones."""
    with pytest.raises(SettingsError, match="HISTORY_STEP_SECONDS"):
        load(IngestSettings, GOOD | {"HISTORY_STEP_SECONDS": step})


NEVER_SENT = [
    "example",
    "https://",
    "https://a/",
    "https://a/b",
    "*",
    "https://*",
    "null",
    "https://u@a",
    "https://a?x",
    "https://a#x",
    "https://a b",
]
NEVER_SENT += [
    "https://bücher.example",
    "https://a:",
    "https://a:99999",
    "https://a:x",
    "https://[::1",
    "https://[::g]",
    "https://0x7f.1",
    "https://127.1",
]
NEVER_SENT += ["https://010.0.0.1", "https://a,https://b/", "file://", "file:///x", "https:a", "//a", "https://a%2eb", "https://a\\b"]


@pytest.mark.parametrize("origin", NEVER_SENT)
def test_an_origin_is_exact(origin: str) -> None:
    """An origin that no browser sends would never match: it is refused at the start, with the valid form."""
    with pytest.raises(SettingsError, match=r"ALLOWED_ORIGINS.*written like https://wall\.example\.com"):
        load(BroadcastSettings, GOOD | {"ALLOWED_ORIGINS": origin})


@pytest.mark.parametrize("proxies", ["*", "0.0.0.0/0", "::/0", "caddy", "10.0.0.1/8", "10.0.0.0/8,nonsense", "127.0.0.1:80"])
def test_trusted_proxies_are_addresses(proxies: str) -> None:
    """A name can be taken over and a wildcard trusts every client; a network with host bits is a typing error."""
    with pytest.raises(SettingsError, match="FORWARDED_ALLOW_IPS"):
        load(BroadcastSettings, GOOD | {"FORWARDED_ALLOW_IPS": proxies})


def test_no_proxy_is_trusted_unless_named() -> None:
    """Not even one on this machine."""
    assert load(BroadcastSettings, GOOD).forwarded_allow_ips.values == []
    given = load(BroadcastSettings, GOOD | {"FORWARDED_ALLOW_IPS": "10.213.57.2, fd00::/64"}).forwarded_allow_ips
    assert given.values == ["10.213.57.2/32", "fd00::/64"]


def test_origins_are_a_list() -> None:
    """Separated by commas, with optional spaces."""
    settings = load(BroadcastSettings, GOOD | {"ALLOWED_ORIGINS": "https://a, chrome-extension://abc ,"})
    assert settings.allowed_origins.values == {"https://a", "chrome-extension://abc"}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://Wall.Example.com", "https://wall.example.com"),
        ("HTTPS://wall.example.com:443", "https://wall.example.com"),
        ("http://x:80", "http://x"),
        ("http://x:0080", "http://x"),
        ("http://x:443", "http://x:443"),
        ("https://x:8443", "https://x:8443"),
        ("https://[0:0:0::1]:443", "https://[::1]"),
        ("https://x.", "https://x."),
        ("https://192.0.2.1:443", "https://192.0.2.1"),
        ("Chrome-Extension://abcdefgh", "chrome-extension://abcdefgh"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_is_read_as_a_browser_writes_it(given: str, meant: str) -> None:
    """People write upper case and default ports, browsers do not."""
    for kind in (BroadcastSettings, IngestSettings):
        assert load(kind, GOOD | {"ALLOWED_ORIGINS": given}).allowed_origins.values == {meant}


def test_an_invalid_address_setting_is_not_repeated() -> None:
    """It may be a secret that was pasted by mistake."""
    with pytest.raises(SettingsError, match="FORWARDED_ALLOW_IPS") as refusal:
        load(IngestSettings, GOOD | {"FORWARDED_ALLOW_IPS": "hunter2secret"})
    assert "hunter2" not in str(refusal.value)


SERVICES: dict[str, type[Any]] = {"ingest": IngestSettings, "broadcast": BroadcastSettings, "worker": WorkerSettings}


@pytest.mark.parametrize("service", SERVICES)
def test_the_help_of_a_service_lists_its_settings(service: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All of them, with the default of each or that it is required."""
    with pytest.raises(SystemExit, match="0"):
        run_command(["--help"]) if service == "worker" else read_arguments(service, SERVICES[service], ["--help"])
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: python -m {service}_service")
    assert [line.split()[0] for line in printed.splitlines() if line.startswith("  ") and line.split()[0].isupper()] == [
        field.name.upper() for field in msgspec.structs.fields(SERVICES[service])
    ]
    assert "  REDIS_URL (required)\n      redis://" in printed
    assert "  HISTORY_STEP_SECONDS\n      seconds from 1 to 60 that divide a minute (default: 60)\n" in printed


@pytest.mark.parametrize("arguments", [["--port", "80"], ["serve"], ["--he"]])
def test_a_service_refuses_arguments_that_it_would_not_follow(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A port that was given as an argument must not be taken for one that is listened on."""
    with pytest.raises(SystemExit, match="2"):
        read_arguments("ingest", IngestSettings, arguments)
    assert "unrecognized arguments" in capsys.readouterr().err
