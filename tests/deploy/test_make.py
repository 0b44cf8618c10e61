"""The Makefile's targets for containers, with a double of `docker` that records its arguments and answers like Compose."""

import asyncio
import getpass
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest
import sqlalchemy

from broadcast_service.settings import BroadcastSettings
from deploy.make_env import write
from shared.auth.screens import Grant, redeem_code
from shared.contract.history_record import DAY_SECONDS
from shared.settings import load
from shared.store.database_url import DatabaseUrl
from shared.store.redis import RedisUrl, Store
from shared.tokens import verify
from shared.tokens.keys import PublicKeys
from tests.deploy import dockerfile
from tests.deploy.compose import parse_env, services
from tests.support import needs
from tests.support.postgres import HOST, USER, postgres
from tests.support.readings import make_body
from tools.processes import ROOT
from tools.stack import Stack
from tools.waiting import wait_until
from worker_service.settings import WorkerSettings

DOCKER = f"""#!/bin/sh
printf '%s\\n' "$*" | head -n 1 >>docker.log
case "$*" in
*" --entrypoint sh tokens "*)
    shift 8
    export $(grep -E '^(INGEST_|DASHBOARD_)?TOKEN_KEYS=' .env) PATH="{pathlib.Path(sys.executable).parent}:$PATH"
    exec sh "$@" ;;
*" tokens link "*) shift 6; exec {sys.executable} -m shared.tokens "$@" ;;
*" worker_service "*)
    address=$(echo "${{DATABASE_URL:-sqlite:///volume.db}}" | sed "s#@postgres/#@127.0.0.1:$POSTGRES_PORT/#")
    words=$*
    DATABASE_URL=$address exec {sys.executable} -m worker_service ${{words##* worker_service }} ;;
*"ps --quiet"*) echo one; echo two ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: pathlib.Path) -> pathlib.Path:
    """A checkout without a `.env`, and a `docker` that is not one."""
    for name in (
        "Makefile",
        ".env.example",
        "deploy",
        "shared",
        "pyproject.toml",
        "requirements.txt",
        "ingest_service",
        "broadcast_service",
        "worker_service",
        "requirements-worker.txt",
        "requirements-parquet.txt",
    ):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "requirements-run.txt").touch()
    os.utime(tmp_path / "requirements-run.txt", (0, 0))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(DOCKER)
    (tmp_path / "bin" / "docker").chmod(0o755)
    return tmp_path


@pytest.fixture(autouse=True)
def _a_store_for_links(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """In containers `tokens` has the store's address; here the double gets it."""
    monkeypatch.setenv("REDIS_URL", stack.redis_url)


def make(checkout: pathlib.Path, *arguments: str, **settings: str) -> str:
    """Runs make; returns its output."""
    environment = {"PATH": f"{checkout}/bin:{os.environ['PATH']}", "HOME": str(checkout), "REDIS_URL": os.environ["REDIS_URL"], **settings}
    return subprocess.run(
        ["make", *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=True, timeout=240
    ).stdout


def grant_of(printed: str, address: str) -> Grant:
    """What a printed link gives to the first who opens it."""
    found = re.search(re.escape(f"{address}/#code=") + r"(\S+)", printed)
    assert found

    async def redeem() -> Grant | None:
        async with Store(RedisUrl.parse(os.environ["REDIS_URL"])) as store:
            return await redeem_code(store, found[1])

    grant = asyncio.run(redeem())
    assert grant
    return grant


def asked(checkout: pathlib.Path) -> list[str]:
    """What docker was asked to do."""
    return (checkout / "docker.log").read_text().splitlines()


def test_up_makes_secrets_once_and_says_where_to_click(checkout: pathlib.Path) -> None:
    """The link that it prints signs one browser in, the token is one that the services take, and a second time changes nothing."""
    printed = make(checkout, "up")
    made = (checkout / ".env").read_text()
    assert grant_of(printed, "http://localhost:3000").subject == getpass.getuser()
    token = re.search(r"token +(\S+)", printed)
    keyring = PublicKeys.parse(parse_env(made)["INGEST_PUBLIC_KEYS"])
    assert token
    assert verify(keyring, token[1], audience="ingest", now_seconds=time.time()).subject == getpass.getuser()
    assert asked(checkout)[1:3] == ["compose build", "compose up --detach --wait"]
    make(checkout, "up")
    assert (checkout / ".env").read_text() == made


def test_up_knows_the_domain(checkout: pathlib.Path) -> None:
    """With one the link is HTTPS."""
    write(checkout / ".env")
    with (checkout / ".env").open("a") as environment:
        environment.write("DOMAIN=pulse.example.com\n")
    assert grant_of(make(checkout, "up"), "https://pulse.example.com").rooms == ["*"]
    assert grant_of(make(checkout, "link", "SUBJECT=ana", "SCOPE=a,vip-*"), "https://pulse.example.com").rooms == ["a", "vip-*"]


def test_tokens_are_for_the_stack_of_the_environment_file(checkout: pathlib.Path) -> None:
    """`make token` signs with the keys of `.env`."""
    write(checkout / ".env")
    keyring = PublicKeys.parse(parse_env((checkout / ".env").read_text())["INGEST_PUBLIC_KEYS"])
    token = make(checkout, "token", "AUDIENCE=ingest", "SUBJECT=me").strip()
    assert verify(keyring, token, audience="ingest", now_seconds=time.time()).subject == "me"


def test_a_clone_that_only_its_owner_may_read_is_opened_for_the_containers(checkout: pathlib.Path) -> None:
    """Their users can read the mounted and the copied files, and still not the secrets."""
    given = {mount.split(":")[0] for service in services().values() for mount in service.get("volumes", []) if mount.startswith("./")}
    given |= {source for kind in dockerfile.stages() for source, _ in dockerfile.copied(kind)}
    subprocess.run(["chmod", "-R", "go-rwx", str(checkout / "deploy"), *(str(checkout / name) for name in given)], check=True)
    make(checkout, "up")
    files = [path for name in given for path in (checkout / name, *(checkout / name).rglob("*"))]
    assert len(files) > 100
    assert [path for path in files if not path.stat().st_mode & 0o004 or (path.is_dir() and not path.stat().st_mode & 0o001)] == []
    assert (checkout / ".env").stat().st_mode & 0o777 == 0o600


def test_a_token_is_its_makers_own(checkout: pathlib.Path) -> None:
    """By default the subject is the person at the keyboard, so that the audit log distinguishes people."""
    write(checkout / ".env")
    keyring = PublicKeys.parse(parse_env((checkout / ".env").read_text())["DASHBOARD_PUBLIC_KEYS"])
    token = make(checkout, "token").strip()
    assert verify(keyring, token, audience="dashboard", now_seconds=time.time()).subject == getpass.getuser()


def test_scaling_leaves_what_runs_alone(checkout: pathlib.Path) -> None:
    """No container is replaced for it."""
    make(checkout, "scale", "BROADCAST=3", "INGEST=2")
    assert asked(checkout)[1:] == ["compose up --detach --wait --no-recreate --scale ingest=2 --scale broadcast=3"]


def test_an_update_starts_the_new_before_it_stops_the_old(checkout: pathlib.Path) -> None:
    """One service after the other, each doubled first."""
    make(checkout, "update")
    joined = [
        line
        for service in ("worker", "ingest", "broadcast")
        for line in (
            f"compose ps --quiet {service}",
            f"compose up --detach --no-deps --no-recreate --wait --scale {service}=4 {service}",
            "stop --time 15 one two",
            "rm one two",
        )
    ]
    assert asked(checkout) == ["compose build", *joined]


def archive(directory: pathlib.Path, *, rooms: int) -> str:
    """The DATABASE_URL of what a real worker has archived of some readings, without readings if there are no rooms."""
    with Stack(directory) as stack:
        ingest = stack.ingest(RATE_LIMIT_ROOM_PER_SECOND="0")
        start = int(time.time()) // DAY_SECONDS * DAY_SECONDS - 7200
        with httpx.Client(headers={"Authorization": f"Bearer {stack.token('ingest')}"}) as client:
            for number in range(rooms):
                moments = [(start + 60 * minute, 1000 + minute) for minute in range(30)]
                batch = [make_body(room_id=f"room-{number}", timestamp=at, tokens_count=count, sequence=at) for at, count in moments]
                answer = client.post(f"{ingest.url}/api/tracking/telemetry/batch", json=batch).json()
                assert {item["result"] for item in answer["results"]} == {"late"}
        stack.worker()
        not_yet = (sqlalchemy.exc.OperationalError,)  # the worker has not created the tables
        wait_until(lambda: archived(stack.database_url, "archive_passes"), "a copy of a day", seconds=60, ignoring=not_yet)
        wait_until(lambda: len(archived(stack.database_url, "archive_minutes")) == rooms, "a copy of yesterday", seconds=60)
        return stack.database_url


def archived(url: str, table: str) -> list[Any]:
    """The rows of a table of the archive, without the number of the change."""
    engine = sqlalchemy.create_engine(DatabaseUrl.parse(url).text)
    with engine.connect() as connection:
        rows = connection.execute(sqlalchemy.text(f"SELECT * FROM {table}")).mappings().all()
    engine.dispose()
    kept = [
        {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items() if name != "changed"} for row in rows
    ]
    return sorted(kept, key=str)


TABLES = ("archive_series", "archive_minutes", "archive_days", "archive_passes")


@pytest.mark.timeout(300)
def test_an_archive_is_backed_up_and_restored_into_an_empty_stack(checkout: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """One command each, on the archive of a worker; the file is for its owner, and a failed backup leaves none."""
    full, empty = archive(tmp_path / "full", rooms=3), archive(tmp_path / "empty", rooms=0)
    printed = make(checkout, "backup", DATABASE_URL=full)
    (file,) = (checkout / "backups").iterdir()
    assert printed.strip() == f"backups/{file.name}"
    assert file.stat().st_mode & 0o777 == 0o600
    make(checkout, "restore", f"FILE=backups/{file.name}", DATABASE_URL=empty)
    assert [archived(empty, table) for table in TABLES[:3]] == [archived(full, table) for table in TABLES[:3]]
    for arguments in (["backup"], ["restore"], ["restore", "FILE=nowhere"]):
        with pytest.raises(subprocess.CalledProcessError):
            make(checkout, *arguments, DATABASE_URL=f"sqlite:///{tmp_path}/none/archive.db")
    assert [*(checkout / "backups").iterdir()] == [file]


@pytest.mark.timeout(300)
def test_an_archive_moves_to_postgresql_with_one_command(checkout: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Into the database that the profile's first start creates, with the passwords of `.env`; a second time changes nothing."""
    url = archive(tmp_path / "full", rooms=3)
    write(checkout / ".env")
    with (checkout / ".env").open("a") as file:
        file.write("COMPOSE_PROFILES=monitoring\n")
    made = parse_env((checkout / ".env").read_text())
    for file_of_database in (tmp_path / "full").glob("archive.db*"):  # with the write-ahead log
        shutil.copy(file_of_database, checkout / file_of_database.name.replace("archive", "volume"))
    with postgres() as server:
        reach = {"PGHOST": HOST, "PGPORT": str(server.port), "PGPASSWORD": server.password, "POSTGRES_USER": USER}
        programs = {"PATH": f"{needs.postgresql()}:{os.environ['PATH']}"}
        subprocess.run([checkout / "deploy/postgres/create.sh"], env=made | programs | reach, check=True, capture_output=True, timeout=60)
        assert make(checkout, "postgres", POSTGRES_PORT=str(server.port)).endswith("The archive is in PostgreSQL.\n")
        moved = parse_env((checkout / ".env").read_text())
        assert moved["COMPOSE_PROFILES"] == "monitoring,postgres"
        there = moved["WORKER_DATABASE_URL"].replace("@postgres/", f"@{HOST}:{server.port}/")
        assert [archived(there, table) for table in TABLES] == [archived(url, table) for table in TABLES]
        with pytest.raises(subprocess.CalledProcessError):
            make(checkout, "postgres", POSTGRES_PORT=str(server.port))
    assert [command for command in asked(checkout)[-4:] if command.startswith("compose")] == [
        "compose --profile postgres up --detach --wait postgres",
        "compose run --rm --no-deps -T --env TMPDIR=/archive --env DATABASE_URL worker python -m worker_service restore -",
        "compose up --detach --wait",
    ]
    kinds: dict[str, type[WorkerSettings | BroadcastSettings]] = {"worker": WorkerSettings, "broadcast": BroadcastSettings}
    for service, kind in kinds.items():
        environment = {name: str(value or "") for name, value in services(**moved)[service]["environment"].items()}
        password = moved[f"POSTGRES_{service.upper()}_PASSWORD"]
        assert f"{load(kind, environment).database_url}" == "postgresql+psycopg://postgres/archive"
        assert environment["DATABASE_URL"] == f"postgresql+psycopg://{service}:{password}@postgres/archive"
