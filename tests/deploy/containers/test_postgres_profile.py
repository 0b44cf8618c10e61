"""The profile `postgres`: the archive moves there with one command, and is written, reported, backed up and restored there."""

import datetime as dt
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

import httpx
import pytest

from tests.deploy.containers.confinement import addresses, check_confinement, reached, secrets_shown
from tests.deploy.containers.engine import OUTSIDE
from tests.deploy.containers.stack import ANSWER_SECONDS, PROFILES, SERVICES, Stack, docker
from tests.deploy.test_memory import limit
from tests.support.readings import make_body
from tools.waiting import wait_until

PROFILE: Final = PROFILES["postgres"]
PORT: Final = 5432
DATA: Final = "/var/lib/postgresql/data"
SIZE: Final = "200m"  # of the volume, in memory: as small as it can be filled in a test
TODAY: Final = int(time.time()) // 86400 * 86400
NOON: Final = TODAY - 43200  # of yesterday, which the worker copies when it starts
DAYS: Final = tuple(dt.datetime.fromtimestamp(moment, dt.UTC).date().isoformat() for moment in (NOON, TODAY))
BALANCES: Final = (1000, 1003, 1010)
FILLING_ROOMS: Final = 300  # their days need more pages than a table has free
# One line for each archived day of a series, the same in every copy of the archive.
LINES: Final = "SELECT day, room_id, earned, md5(packed) FROM archive_minutes JOIN archive_days USING (day, series_id) "
LINES_OF_ARCHIVE: Final = LINES + "JOIN archive_series ON id = series_id ORDER BY 1, 2"


def export(stack: Stack) -> list[str]:
    """Yesterday's minutes as the worker's archive has them, as CSV without its heading; empty before the first copy."""
    command = ("python", "-m", "worker_service", "export", "--rows", "minutes", "--from", DAYS[0], "--to", DAYS[1])
    return sorted(stack.inside("worker", *command, check=False).stdout.splitlines()[1:])


def has(lines: list[str], room: str, count: int = 1) -> bool:
    """Whether an export has all readings of a room, or of so many rooms with numbers."""
    return sum(f",{room}" in line for line in lines) == count * len(BALANCES)


def post(stack: Stack, room: str, count: int = 1) -> None:
    """Posts readings of yesterday of a room, or of so many with numbers."""
    rooms = [room] if count == 1 else [f"{room}-{number}" for number in range(count)]
    batch = [
        make_body(room_id=name, timestamp=(at := NOON + 60 * n), tokens_count=balance, sequence=at)
        for n, balance in enumerate(BALANCES)
        for name in rooms
    ]
    with httpx.Client(headers={"Authorization": f"Bearer {stack.token('ingest')}"}, timeout=ANSWER_SECONDS) as client:
        answer = client.post(f"{stack.url}/api/tracking/telemetry/batch", json=batch).json()
    assert {item["result"] for item in answer["results"]} == {"late"}
    stack.forget_passes()


def archive(stack: Stack, room: str) -> list[str]:
    """Posts readings of yesterday, and returns the export that has them."""
    post(stack, room)
    stack.restart_worker()
    return wait_until(lambda: has(lines := export(stack), room) and lines, f"{room} in the archive", seconds=90, poll_seconds=0.5)


def query(stack: Stack, statement: str, database: str = "archive") -> list[str]:
    """The lines that the server answers to its administrator."""
    return stack.inside("postgres", "psql", "-qtAX", "-U", "admin", "-d", database, "-c", statement).stdout.splitlines()


class Moved(NamedTuple):
    """The stack after `make postgres`, what that printed, what its file had before, and who keeps the volume of the server in memory."""

    stack: Stack
    printed: str
    exported: list[str]
    keeper: str


@pytest.fixture(scope="module")
def moved(stack: Stack) -> Iterator[Moved]:
    """The archive is moved once; in the end it is in its file again, and the server is removed with its volumes."""
    file = stack.directory / ".env"
    environment = file.read_text()
    volume = f"{stack.project}_postgres"
    options = ["--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", f"o=size={SIZE},mode=0700,uid=70,gid=70"]
    labels = [f"--label=com.docker.compose.project={stack.project}", "--label=com.docker.compose.volume=postgres"]
    docker("volume", "create", *labels, *options, volume)
    keeper = docker("run", "--detach", "--user=0", f"--volume={volume}:{DATA}", "--entrypoint=sleep", stack.tools, "infinity").strip()
    try:
        exported = archive(stack, "before-the-move")
        yield Moved(stack, stack.make("postgres").stdout, exported, keeper)
    finally:
        file.write_text(environment)
        stack.compose("--profile", "postgres", "rm", "--stop", "--force", *PROFILE)
        docker("rm", "--force", keeper)
        docker("volume", "rm", volume, f"{stack.project}_backups", check=False)
        stack.make("up")


def test_the_archive_moves_from_its_file_to_the_server(moved: Moved) -> None:
    """With all that it had, the settings lead both services there, and everything is healthy."""
    stack = moved.stack
    assert moved.printed.endswith("The archive is in PostgreSQL.\n")
    assert export(stack) == moved.exported
    assert [line.split("|")[1:3] for line in query(stack, LINES_OF_ARCHIVE) if "before-the-move" in line] == [["before-the-move", "10"]]
    assert stack.secrets["COMPOSE_PROFILES"] == "postgres"
    stack.wait_until_healthy(*SERVICES, *PROFILE)
    again = stack.make("postgres", check=False)
    assert (again.returncode != 0, "leads the archive elsewhere already" in again.stderr) == (True, True)


def test_the_worker_writes_to_the_server_and_broadcast_reports_from_it(moved: Moved) -> None:
    """A report of yesterday is the server's where Redis has lost its history."""
    stack = moved.stack
    archive(stack, "after-the-move")
    forget = "for _, key in ipairs(redis.call('KEYS', 'history:*')) do redis.call('DEL', key) end return 'forgotten'"
    assert "forgotten" in stack.inside("redis", "sh", "/etc/pulse/cli.sh", "EVAL", forget, "0").stdout
    span = {"from": str(NOON), "to": str(NOON + 3600), "step": "3600", "rooms": "before-the-move,after-the-move"}
    headers = {"Authorization": f"Bearer {stack.token('dashboard')}"}
    report = httpx.get(f"{stack.url}/api/tracking/analytics", params=span, headers=headers, timeout=ANSWER_SECONDS)
    assert report.status_code == 200, report.text
    assert {room["room_id"]: room["earned"] for room in report.json()["rooms"]} == {"before-the-move": 10, "after-the-move": 10}


def test_backups_are_restored_into_empty_databases(moved: Moved) -> None:
    """The one of `make backup` by `make restore`, and the newest daily dump as docs/worker.md says."""
    stack, backups = moved.stack, ("docker", "exec", moved.stack.containers("postgres-backup")[0])
    stack.make("backup", "FILE=backups/of-the-server.backup")
    stack.inside("postgres-backup", "sh", "/etc/pulse/backups/daily.sh", "once")
    assert stack.healthy("postgres-backup"), backups
    for name in ("restored", "dumped"):
        stack.inside("postgres", "createdb", "-U", "admin", "-O", "worker", "-T", "template0", name)
    url = f"postgresql+psycopg://worker:{stack.secrets['POSTGRES_WORKER_PASSWORD']}@postgres/restored"
    stack.make("restore", "FILE=backups/of-the-server.backup", DATABASE_URL=url)
    newest = 'pg_restore --exit-on-error -d dumped "$(ls "$BACKUPS"/archive-*.dump | tail -n 1)"'
    stack.inside("postgres-backup", "sh", "-c", newest)
    lines = query(stack, LINES_OF_ARCHIVE)
    assert len(lines) >= 1
    assert query(stack, LINES_OF_ARCHIVE, "restored") == lines
    assert query(stack, LINES_OF_ARCHIVE, "dumped") == lines


@pytest.mark.parametrize("name", PROFILE)
def test_the_server_and_its_backups_are_as_confined_as_the_services(moved: Moved, name: str) -> None:
    """Worker, broadcast and backups reach the server, and no other container; it reaches nothing outside, and has its own secrets."""
    stack = moved.stack
    check_confinement(stack, name)
    assert stack.used(name) < 0.5 * limit(name)
    print(f"{name}: {stack.used(name) / 1e6:.0f} of {limit(name) / 1e6:.0f} MB")
    expected = {key for key in stack.secrets if key.startswith("POSTGRES_")} if name == "postgres" else {"POSTGRES_ADMIN_PASSWORD"}
    assert secrets_shown(stack, name) == expected
    assert (
        reached(stack, name, (OUTSIDE, 80), *((other, port) for other, port in (("redis", 6379), ("ingest", 8001), ("caddy", 2020))))
        == set()
    )
    if name == "postgres":
        server = [("postgres", PORT), *((address, PORT) for address in addresses(stack, name).values())]
        found = {other: bool(reached(stack, other, *server)) for other in (*SERVICES, "postgres-backup")}
        assert {other for other, is_reached in found.items() if is_reached} == {"worker", "broadcast", "postgres-backup"}
    else:
        assert stack.inspect(name)["HostConfig"]["PortBindings"] in ({}, None)


def test_processes_of_the_profile_that_die_are_restarted_by_the_engine(moved: Moved) -> None:
    """The worker goes on by itself with a server that had ended, and the server with all that was confirmed."""
    stack = moved.stack
    restarts = {name: stack.inspect(name)["RestartCount"] for name in PROFILE}
    for name in PROFILE:
        stack.kill_process(name)
    for name, before in restarts.items():
        stack.wait_for_restart(name, before)
    assert set(moved.exported) <= set(archive(stack, "after-a-crash"))
    stack.wait_until_healthy(*SERVICES)


def test_a_full_volume_of_the_server_is_waited_for(moved: Moved) -> None:
    """The worker reports it, readings and dashboards go on, and the copy succeeds when there is room."""
    stack = moved.stack
    before = export(stack)
    post(stack, "on-a-full-server", FILLING_ROOMS)
    stack.fill("postgres", DATA)
    stack.restart_worker()
    wait_until(lambda: '"archive.waits"' in stack.logs("worker"), "a report", seconds=90, poll_seconds=0.5)
    with stack.producer() as producer:
        producer.deliver("beside-a-full-server", 9)
    wait_until(lambda: stack.value("beside-a-full-server") == 9, "the value", seconds=30)
    docker("exec", moved.keeper, "rm", "-f", f"{DATA}/filler")
    stack.wait_until_healthy("postgres")
    after = wait_until(
        lambda: has(lines := export(stack), "on-a-full-server-", FILLING_ROOMS) and lines, "the copy", seconds=150, poll_seconds=0.5
    )
    assert set(before) <= set(after)
    stack.wait_until_healthy(*SERVICES, *PROFILE)
