"""Each service's user of the shipped store: the service works with it, and it can do nothing else."""

import os
import pathlib
import subprocess

import pytest
import redis

from shared.contract import keys
from shared.contract.feeds import Feed
from shared.contract.keys import REVOKED_TOKENS
from tests.deploy.store import SCRIPT, SERVICES, Store
from tests.support.clients import Dashboard, Producer, metric
from tests.support.token_commands import run_tokens
from tools.stack import Stack
from tools.waiting import wait_until
from worker_service.app import LEASE

ROOM = (0, "room", "camsoda")
HISTORY = keys.history_array(ROOM[0], Feed(*ROOM[1:]), "2026-01-01", 60)
SCRIPTS = ("return redis.call('GET', 'secret')", "return redis.call('FLUSHALL')", "return redis.call('DEL', KEYS[1])")
REFUSAL = r"can't (run this command|access at least one of the keys)|no permissions to access one of the keys"
FORBIDDEN = ["FLUSHALL", "KEYS *", "SCAN 0", "CONFIG GET *", "ACL LIST", "CLIENT LIST", "CLIENT KILL ID 1", "SHUTDOWN"]
FORBIDDEN += ["SCRIPT FLUSH", "MONITOR", "SAVE", "REPLICAOF NO ONE", "SELECT 1", "FUNCTION LIST"]
FORBIDDEN += [
    "GET secret",
    "SET secret 1",
    "DEL secret",
    f"DEL {keys.latest(*ROOM)}",
    f"DEL {HISTORY}",
    "PUBLISH secret 1",
    "SUBSCRIBE secret",
    "PSUBSCRIBE *",
]
REFUSED = {
    "ingest": [
        f"MGET {HISTORY}",
        f"SMEMBERS {keys.history_feeds(0, '2026-01-01')}",
        f"SUBSCRIBE {keys.events_channel(0)}",
        f"ZRANGEBYSCORE {keys.index(0)} -inf +inf",
        f"ZADD {REVOKED_TOKENS} 1 x",
        f"ZREMRANGEBYSCORE {REVOKED_TOKENS} -inf +inf",
        f"PUBLISH {keys.probe_channel(0, 'x')} 1",
        f"GET {keys.screen('x')}",
        f"HSET {keys.SCREENS} x 1",
    ],
    "broadcast": [
        f"SET {keys.latest(*ROOM)} 1",
        f"SETRANGE {HISTORY} 0 1",
        f"PUBLISH {keys.events_channel(0)} 1",
        f"ZADD {keys.index(0)} 1 x",
        f"ZADD {REVOKED_TOKENS} 1 x",
        f"HMGET {keys.rate_prefix(0)}room:1 x",
    ],
    "worker": [
        f"SETRANGE {HISTORY} 0 1",
        f"EXPIRE {HISTORY} 1",
        f"GET {keys.latest(*ROOM)}",
        f"SUBSCRIBE {keys.events_channel(0)}",
        f"ZRANGEBYSCORE {REVOKED_TOKENS} -inf +inf",
        f"GET {keys.screen('x')}",
        f"EXPIRE {keys.lease(LEASE)} 1",
    ],
    "tokens": [
        f"HGETALL {keys.SCREENS}",
        f"SET {keys.screen('x')} 1",
        f"GETDEL {keys.screen_code('x')}",
        f"DEL {REVOKED_TOKENS}",
        f"GET {keys.latest(*ROOM)}",
        f"GET {HISTORY}",
        "INFO",
    ],
    "monitor": [f"GET {keys.latest(*ROOM)}", f"ZRANGEBYSCORE {REVOKED_TOKENS} -inf +inf", "SLOWLOG GET"],
}


def runs(client: "redis.Redis", command: str) -> bool:
    """Whether the server lets a user run a command."""
    try:
        client.execute_command(*command.split())  # type: ignore[no-untyped-call]
    except redis.exceptions.NoPermissionError:
        return False
    return True


@pytest.mark.parametrize("user", SERVICES)
def test_what_a_service_does_not_need_is_refused(store: Store, user: str) -> None:
    """Administrative commands, the other users' keys and channels, and the other users' commands on shared keys."""
    with store.client(store.credential(user)) as client:
        assert [command for command in FORBIDDEN + REFUSED[user] if runs(client, command)] == []


@pytest.mark.parametrize("user", ["ingest", "broadcast", "worker"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_no_way_around(store: Store, user: str, script: str) -> None:
    """What a script calls is checked as if its user had called it."""
    key = HISTORY if user == "worker" else keys.last_version(0)
    with store.client(store.credential(user)) as client, pytest.raises(redis.exceptions.ResponseError, match=REFUSAL):
        client.eval(script, 1, key)


def test_no_client_is_accepted_without_a_password(store: Store) -> None:
    """The default user is off, a wrong password is refused, and the health check's user can ping and nothing else."""
    for credential in ("", "ingest:wrong@", ":wrong@"):
        with store.client(credential) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
    with store.client("health:-@") as health:
        assert health.ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            health.info()


def test_who_runs_it_can_do_what_the_runbooks_say(store: Store) -> None:
    """As `admin`, through the script that `docker compose exec` calls."""
    environment = {"PATH": os.environ["PATH"], "REDIS_ADMIN_PASSWORD": store.passwords["admin"]}
    for command in (
        "BGSAVE",
        "INFO persistence",
        "DBSIZE",
        "SLOWLOG GET",
        "--bigkeys",
        "--scan --pattern history:*",
        "CONFIG GET appendonly",
    ):
        asked = ["sh", str(SCRIPT.with_name("cli.sh")), "-e", "-p", str(store.port), *command.split()]
        subprocess.run(asked, env=environment, check=True, capture_output=True, timeout=10)


def test_the_services_work_with_their_users(tmp_path: pathlib.Path) -> None:
    """Readings, probes, reads, history, earnings, revocation, the worker's lease, and not one refusal in the server's own record."""
    with Store(tmp_path).running() as store, Stack(tmp_path, redis_url=store.url("tokens")) as stack:
        ingest = stack.ingest(REDIS_URL=store.url("ingest"))
        broadcast = stack.broadcast(REDIS_URL=store.url("broadcast"))
        worker = stack.worker(REDIS_URL=store.url("worker"))
        wait_until(lambda: metric(worker.url, "pulse_worker_lease_held") == 1, "the worker's lease")
        token = stack.token("dashboard")
        with Producer(ingest.url, stack.token("ingest")) as producer, Dashboard(broadcast.url, token) as dashboard:
            assert producer.post("room", 1).json()["result"] == "accepted"
            dashboard.wait_for_tokens("room", 1)
            dashboard.wait_for(lambda d: d.of("UPSTREAM") and d.of("UPSTREAM")[-1]["status"] == "ok", "a confirmed subscription")
            with Producer(broadcast.url, token) as reader:
                for path in ("", "/room/camsoda", "/room/camsoda/history"):
                    assert reader._client.get(f"/api/tracking/telemetry{path}").status_code == 200
                [room] = reader._client.get("/api/tracking/analytics").json()["rooms"]
                assert (room["room_id"], room["earned"]) == ("room", 0)
            run_tokens("revoke", token, environment=stack.environment(), check=True)
            assert dashboard.wait_for_close() == 4401
        with store.client(store.credential("monitor")) as monitor:
            errors = wait_until(lambda: monitor.info("errorstats"), "the record")
            assert [name for name in errors if "NOPERM" in name] == []
            assert monitor.info("persistence")["aof_enabled"] == 1


def test_passwords_are_kept_as_hashes(store: Store) -> None:
    """The file with the users lies in memory, readable by the server alone, and holds no password."""
    users = store.directory / "users.acl"
    assert users.stat().st_mode & 0o777 == 0o600
    assert not any(password in users.read_text() for password in store.passwords.values())
    assert "_HASH" not in users.read_text()


def test_what_scripts_and_transactions_stored_is_there_after_a_restart(tmp_path: pathlib.Path) -> None:
    """Redis replays its append-only file as the default user, and skips a transaction that this user may not do: it may, and stays off."""
    server = Store(tmp_path)
    with server.running(), server.client(server.credential("admin")) as admin:
        admin.eval("redis.call('SET', 'script-a', 1) redis.call('SET', 'script-b', 2)", 0)
        with admin.pipeline(transaction=True) as transaction:
            transaction.set("transaction-a", 3).set("transaction-b", 4).execute()
        admin.set("plain", 5)
    with server.running():
        with server.client(server.credential("admin")) as admin:
            assert admin.mget("script-a", "script-b", "transaction-a", "transaction-b", "plain") == [b"1", b"2", b"3", b"4", b"5"]
        for credential in ("", ":@", "default:@", "default:x@"):
            with server.client(credential) as client, pytest.raises((redis.ResponseError, redis.ConnectionError)):
                client.get("plain")
