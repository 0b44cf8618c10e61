"""DATABASE_URL: accepted forms, and that no error and no representation shows a password."""

import pathlib

import pytest

from shared.settings import SettingsError, load
from shared.store.database_url import DatabaseUrl
from worker_service.settings import WorkerSettings

REDIS = {"REDIS_URL": "redis://127.0.0.1:6379/0"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///archive.db", "archive.db"),
        ("sqlite:////var/lib/pulse/archive.db", "/var/lib/pulse/archive.db"),
        ("sqlite:///.local/with space.db", ".local/with space.db"),
    ],
)
def test_sqlite_is_a_file(text: str, path: str) -> None:
    url = DatabaseUrl.parse(text)
    assert (url.is_sqlite, url.path, url.text) == (True, pathlib.Path(path), text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql+psycopg://pulse:canary@db:5432/archive", "postgresql+psycopg://db:5432/archive"),
        ("postgresql://pulse:canary@db/archive", "postgresql+psycopg://db/archive"),
        ("postgresql+psycopg://pulse:can%40ary@[::1]:5432/archive?sslmode=require", "postgresql+psycopg://[::1]:5432/archive"),
        ("postgresql+psycopg://pulse@/archive?host=/run/postgresql", "postgresql+psycopg:///archive"),
    ],
)
def test_postgresql_is_shown_without_its_password(text: str, shown: str) -> None:
    url = DatabaseUrl.parse(text)
    assert (url.is_sqlite, repr(url), f"{url}") == (False, shown, shown)
    assert url.text == "postgresql+psycopg://" + text.partition("://")[2]


@pytest.mark.parametrize(
    "text",
    [
        "archive.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///directory/",
        "sqlite:///:memory:",
        "sqlite://archive.db",
        "mysql://user:canary@host/archive",
        "postgresql+asyncpg://user:canary@host/archive",
        "postgresql+psycopg://user:canary@host",
        "postgresql+psycopg://user:canary@host/",
        "postgresql+psycopg://user:canary@host/a/b",
        "postgresql+psycopg://user:canary@host:port/archive",
        "postgresql+psycopg://user:canary@host:99999/archive",
        "postgresql+psycopg://user:ca/nary@host/archive",
        "postgresql+psycopg://user:ca#nary@host/archive",
        "postgresql+psycopg://host/archive",
        "postgresql+psycopg://[::1/archive",
    ],
)
def test_a_bad_database_url_is_refused_with_its_form_and_without_its_password(text: str) -> None:
    with pytest.raises(SettingsError, match=r"DATABASE_URL should be sqlite:///path") as refusal:
        load(WorkerSettings, REDIS | {"DATABASE_URL": text})
    assert "nary" not in str(refusal.value)


def test_the_worker_needs_no_keys() -> None:
    settings = load(WorkerSettings, REDIS)
    assert (settings.worker_port, settings.metrics_port, repr(settings.database_url)) == (8004, 9103, "sqlite:///archive.db")


@pytest.mark.parametrize(("name", "value"), [("HISTORY_STEP_SECONDS", "7"), ("ARCHIVE_MINUTES_DAYS", "1"), ("WORKER_PORT", "70000")])
def test_the_worker_names_a_bad_setting(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load(WorkerSettings, REDIS | {name: value})
