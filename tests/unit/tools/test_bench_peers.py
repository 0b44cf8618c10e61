"""The comparison with other servers: their configurations and versions, and the sentence about one that is not installed."""

import json
import pathlib
import re
import sys
from typing import Any, cast

import jwt
import msgspec
import pytest

from shared.contract.codec import encode
from shared.contract.events import EventData, TelemetryEvent
from shared.contract.readings import Reading
from tools.bench import __main__ as bench
from tools.bench import centrifugo, entrants, nchan, peers
from tools.bench.lab import Figures, Lab
from tools.bench.processes import KernelMemory

SECRET = "s" * 32
NCHAN = nchan.Found(pathlib.Path("/usr/sbin/nginx"), pathlib.Path("/modules/ngx_nchan_module.so"), "nchan 1.3.6 in nginx 1.22.1")
CENTRIFUGO = centrifugo.Found(pathlib.Path("/bin/centrifugo"), "Centrifugo 6.9.1")


def filled(template: str) -> str:
    """A template as `paced` fills it, for room 7 at 1,764,000,000.123456 s."""
    values = {"r": "00007", "u": "123456", "s": "1764000000", "m": "1764000000123", "n": "1"}
    return re.sub("%(.)", lambda match: values[match[1]], template)


def test_every_server_delivers_the_bytes_that_this_projects_dashboards_receive() -> None:
    """Otherwise a smaller payload could win."""
    reading = msgspec.json.decode(filled(entrants.READING), type=Reading)
    assert reading.tokens_count is not None
    data = EventData("chaturbate", reading.tokens_count, reading.tips_count, reading.viewers_count, None, reading.timestamp)
    event = TelemetryEvent(room_id=reading.room_id, data=data, timestamp=1_764_000_000, version=1_764_000_000_123_000)
    assert encode(event).decode() == filled(entrants.RELAYED)
    published = json.loads(filled(centrifugo.publication(entrants.RELAYED)))
    assert published == {"channel": "wall", "data": json.loads(filled(entrants.RELAYED))}


def test_a_peer_that_is_not_installed_is_named_in_a_sentence_and_the_others_are_measured() -> None:
    """The sentence says what to install."""
    found, missing = entrants.entrants(lambda: None, lambda: None)
    assert [one.name for one in found] == ["floor", "ours", "obvious"]
    assert [sentence.partition(" is not measured: ")[0] for sentence in missing] == ["nchan", "Centrifugo"]
    assert "apt-get install nginx libnginx-mod-nchan" in missing[0]
    assert "github.com/centrifugal/centrifugo/v6" in missing[1]
    found, missing = entrants.entrants(lambda: NCHAN, lambda: CENTRIFUGO)
    assert [one.name for one in found] == ["floor", "ours", "obvious", "nchan", "centrifugo", "centrifugo, history"]
    assert missing == []


def test_the_command_says_which_peers_are_missing_and_goes_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with status 0 and the figures of the others."""
    monkeypatch.setattr(sys, "argv", ["bench", "--peers", "--row", "posts", "--quick"])
    monkeypatch.setattr(bench, "check_machine", lambda: None)
    monkeypatch.setattr(bench, "entrants", lambda: entrants.entrants(lambda: None, lambda: CENTRIFUGO))
    asked: dict[str, Any] = {}

    def measure(
        _directory: pathlib.Path, found: list[entrants.Entrant], rows: list[str], *, keep: object, **options: float
    ) -> peers.Measured:
        assert callable(keep)
        asked.update(rows=rows, names=[one.name for one in found], **options)
        return {"posts": {"ours": [{"per_second": 12_345.6}]}}

    monkeypatch.setattr(peers, "measure", measure)
    monkeypatch.setattr(peers, "save", lambda *_: None)
    assert bench.main() == 0
    assert asked == {
        "rows": ["posts"],
        "names": ["floor", "ours", "obvious", "centrifugo", "centrifugo, history"],
        "rounds": 1,
        "seconds": 1,
        "scale": 0.25,
    }
    printed = capsys.readouterr()
    assert nchan.MISSING in printed.out
    assert nchan.MISSING in printed.err
    assert "| ours | 12,346 |" in printed.out


@pytest.mark.parametrize(
    ("output", "package", "expected"),
    [
        ("nginx version: nginx/1.22.1\n", "1:1.3.6+dfsg-2", "nchan 1.3.6 in nginx 1.22.1"),
        ("nginx version: nginx/1.26.3 (Ubuntu)\n", "1.3.7", "nchan 1.3.7 in nginx 1.26.3"),
        ("", "", "nchan (version unknown) in nginx (version unknown)"),
    ],
)
def test_the_versions_of_nchan_and_nginx_are_read(output: str, package: str, expected: str) -> None:
    """The package's epoch and Debian's revision are not part of nchan's version."""
    assert nchan.versions(output, package) == expected


@pytest.mark.parametrize(
    ("output", "build", "expected"),
    [
        ("Centrifugo v6.2.0 (Go version: go1.24.3)\n", "", "Centrifugo 6.2.0"),
        (
            "Centrifugo v0.0.0 (Go version: go1.26.8)\n",
            "\tmod\tgithub.com/centrifugal/centrifugo/v6\tv6.9.1\th1:JyY=\n",
            "Centrifugo 6.9.1",
        ),
        ("Centrifugo v0.0.0 (Go version: go1.26.8)\n", "", "Centrifugo (version unknown)"),
        ("", "", "Centrifugo (version unknown)"),
    ],
)
def test_the_version_of_centrifugo_is_that_of_its_module_where_it_was_built_as_one(output: str, build: str, expected: str) -> None:
    """A program that was built as a module calls itself 0.0.0."""
    assert centrifugo.version(output, build) == expected


def test_nchan_keeps_the_latest_message_of_a_room_in_one_worker(tmp_path: pathlib.Path) -> None:
    """As this project keeps a room's latest value; with the port of the run and nothing outside of its directory."""
    text = nchan.configuration(NCHAN, tmp_path, 16_001, 20_000)
    assert "load_module /modules/ngx_nchan_module.so;" in text
    assert "worker_processes 1;" in text
    assert "listen 127.0.0.1:16001 " in text
    assert text.count("{") == text.count("}")
    assert re.search(r"room-\.\+\)\$ \{[^}]*nchan_message_buffer_length 1;", text)
    for path in re.findall(r"(?:_path|pid|error_log) (\S+?)[ ;]", text):
        assert path.startswith(str(tmp_path))


def test_centrifugo_uses_the_runs_redis_and_accepts_the_tokens_of_the_run(tmp_path: pathlib.Path) -> None:
    """The file with its secrets is readable by one user alone."""
    settings = centrifugo.configuration(port=16_002, redis_url="redis://127.0.0.1:1/0", api_key="k", token_secret=SECRET)
    file = tmp_path / "centrifugo.json"
    centrifugo.write(file, settings)
    assert file.stat().st_mode & 0o077 == 0
    written = json.loads(file.read_text())
    assert written["engine"] == {"type": "redis", "redis": {"address": "redis://127.0.0.1:1/0"}}
    assert written["http_server"] == {"address": "127.0.0.1", "port": 16_002}
    assert written["usage_stats"] == {"disabled": True}
    token = centrifugo.connection_token(written["client"]["token"]["hmac_secret_key"], number=3, now_seconds=1_764_000_000)
    claims = jwt.decode(token, SECRET, ["HS256"], options={"verify_exp": False})
    assert claims["channels"] == ["wall"]
    assert claims["sub"] == "user-3"


def test_a_server_that_does_not_take_part_in_a_row_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """The others are measured in every round, and the medians are shown."""

    class NoLab:
        def __init__(self, *_: object, **__: object) -> None: ...
        def __enter__(self) -> Lab:
            return cast("Lab", self)

        def __exit__(self, *_: object) -> None: ...

    rounds = iter([1.0, 9.0, 2.0])

    def figures(_lab: Lab, entrant: entrants.Entrant) -> Figures | None:
        return {"cpu_us": next(rounds)} if entrant.name == "ours" else None

    monkeypatch.setattr(peers, "Lab", NoLab)
    monkeypatch.setitem(peers.ROWS, "posts", peers.Row("Posts", figures))
    kept: list[int] = []
    servers = [entrants.Entrant("ours", ""), entrants.Entrant("floor", "")]
    measured = peers.measure(
        tmp_path, servers, ["posts"], rounds=3, seconds=1, scale=1, keep=lambda known: kept.append(len(known["posts"]["ours"]))
    )
    assert kept == [1, 2, 3]
    assert peers.medians(measured) == {"posts": {"ours": {"cpu_us": 2.0}}}
    assert peers.markdown(peers.medians(measured)) == "**Posts**\n\n| server | CPU, µs |\n|---|---|\n| ours | 2 |"


def test_buffers_of_sockets_and_objects_of_the_kernel_are_read_apart() -> None:
    """The one file counts pages, the other 1024 bytes."""
    sockstat = "sockets: used 466\nTCP: inuse 436 orphan 1 tw 3990 alloc 436 mem 12\nUDP: inuse 0 mem 0\n"
    found = KernelMemory.parse(sockstat, "MemTotal:       24000000 kB\nSlab:             200000 kB\nSReclaimable:      1 kB\n")
    assert found.slab == 200_000 * 1024
    assert found.tcp_buffers % 12 == 0
    assert found.tcp_buffers >= 12 * 4096


def test_the_rig_is_described_in_lines_that_fit_a_document() -> None:
    """With every server's version, the machine's load and how long was measured."""
    found, _ = entrants.entrants(lambda: NCHAN, lambda: CENTRIFUGO)
    text = peers.rig(peers.about(found), rounds=3, seconds=6.0)
    assert max(map(len, text.splitlines())) <= 120
    flat = " ".join(text.split())
    assert flat.startswith("Medians of 3 rounds of 6 s. Linux ")
    for version in ("nchan 1.3.6 in nginx 1.22.1", "Centrifugo 6.9.1 with Redis", "load average "):
        assert version in flat
