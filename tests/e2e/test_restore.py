"""Backup and restore as docs/operations.md says, on a real server."""

import pathlib
import shutil
import time
from typing import Any

from tests.support.clients import Dashboard
from tests.support.posting import JSON, ONE, authorization, body_of, post
from tests.support.raw_http import exchange, request
from tools.processes import Service
from tools.redis_server import RedisServer
from tools.stack import Stack
from tools.waiting import wait_until


def persistence(node: RedisServer) -> dict[str, Any]:
    """What the server says of its persistence."""
    with node.admin as admin:
        return dict(admin.info("persistence"))


def backup(node: RedisServer, to: pathlib.Path) -> None:
    """Takes one while the server goes on."""
    with node.admin as admin:
        admin.bgsave()
    done = {"rdb_bgsave_in_progress": 0, "rdb_last_bgsave_status": "ok"}
    wait_until(lambda: done.items() <= persistence(node).items() and (node.directory / "dump.rdb").exists(), "the backup")
    shutil.copy(node.directory / "dump.rdb", to)


def restore(directory: pathlib.Path, saved: pathlib.Path, port: int) -> RedisServer:
    """Starts a server on the backup, has it write its append-only file, and starts it again as usual."""
    first = RedisServer(directory, port=port, appendonly="no")
    shutil.copy(saved, directory / "dump.rdb")
    first.start()
    with first.admin as admin:
        admin.config_set("appendonly", "yes")
    done = {"aof_rewrite_in_progress": 0, "aof_rewrite_scheduled": 0, "aof_last_bgrewrite_status": "ok", "aof_enabled": 1}
    wait_until(lambda: done.items() <= persistence(first).items(), "the append-only file")
    first.kill()
    usual = RedisServer(directory, port=port, appendonly="yes")
    usual.start()
    return usual


def posted(ingest: Service, headers: Any, tokens: int) -> int:
    """Posts a reading; returns its version, 0 where it was refused."""
    answer = post(ingest, ONE, headers, body_of(ONE, room_id="kept", tokens_count=tokens))
    return int(answer.json()["version"]) if answer.status == 200 else 0


def test_a_backup_brings_everything_back(tmp_path: pathlib.Path) -> None:
    """History, latest values and revocations are there again, and the services go on by themselves with versions that grow."""
    node = RedisServer(tmp_path / "before", appendonly="yes")
    node.start()
    try:
        with Stack(tmp_path / "stack", redis_url=node.url) as stack:
            ingest, broadcast = stack.ingest(), stack.broadcast()
            writer, reader = (*JSON, authorization(stack.token("ingest"))), (authorization(stack.token("dashboard")),)
            version = posted(ingest, writer, 11)
            earlier = body_of(ONE, room_id="earlier", tokens_count=7, timestamp=int(time.time()) - 600)
            assert post(ingest, ONE, writer, earlier).status == 200
            with node.admin as admin:
                admin.zadd("tokens:revoked", {"ended": int(time.time()) + 3600})
            backup(node, tmp_path / "saved.rdb")
            node.kill()
            node = restore(tmp_path / "after", tmp_path / "saved.rdb", node.port)
            with node.admin as admin:
                assert admin.zscore("tokens:revoked", "ended")
            later = wait_until(lambda: posted(ingest, writer, 12), "a commit after the restore")
            assert later > version
            points = exchange(broadcast.port, request("GET", f"{ONE}/earlier/camsoda/history", reader)).json()["points"]
            assert [point["tokens"] for point in points] == [7]
            wait_until(lambda: exchange(broadcast.port, request("GET", "/readyz", ())).status == 200, "readiness")
            with Dashboard(broadcast.url, stack.token("dashboard", rooms=("kept",))) as client:
                assert client.next_of("TELEMETRY_UPDATE")["data"]["tokens"] == 12
    finally:
        node.kill()


def test_the_backup_alone_beside_an_append_only_server_is_ignored(tmp_path: pathlib.Path) -> None:
    """That is why the document starts the server once without: else it would begin empty and look well."""
    source = RedisServer(tmp_path / "source")
    source.start()
    with source.admin as admin:
        admin.set("kept", "1")
    backup(source, tmp_path / "saved.rdb")
    source.kill()
    hasty = RedisServer(tmp_path / "hasty", appendonly="yes")
    shutil.copy(tmp_path / "saved.rdb", hasty.directory / "dump.rdb")
    hasty.start()
    with hasty.admin as admin:
        assert admin.dbsize() == 0
    hasty.kill()
