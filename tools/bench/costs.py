"""What each kind of request costs us that one hostile token or address sends at 1 Mbit/s, and how long an honest producer waits beside it.

The figures are the part of a core that the service uses, the bytes that must be sent for a whole second of a core, and the 99th
percentile of an honest producer's POSTs meanwhile. docs/security-costs.md quotes them.
"""

import http.client
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from tools.bench.hostile import Plan
from tools.bench.lab import Figures, Lab, Meter
from tools.bench.processes import LOAD_CORE, pinned
from tools.processes import ROOT, Service

BYTES_PER_SECOND: Final = 125_000  # 1 Mbit/s
MEASURE_SECONDS: Final = 1.5
READ_BURST_SECONDS: Final = 6.5  # a subject has 6 s of reads in hand
DOCUMENT: Final = ROOT / "docs" / "security-costs.md"
AIM_PERCENT: Final = 10.0
AIM_MS: Final = 50.0
HONEST_PAUSE_SECONDS: Final = 0.02
ONE: Final = "/api/tracking/telemetry"
DAY: Final = 86400
BURST_SECONDS: Final = 2.0  # for as long each kind is sent faster first, so that what is measured comes after the burst that an address has
UPGRADE: Final = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"


class Attack(NamedTuple):
    """Requests of one kind to one of the services."""

    name: str
    to: str
    requests: list[str]
    opening: str = ""
    churn: bool = False
    trickle: bool = False


def request(path: str, token: str = "", *, body: str | None = None, headers: str = "") -> str:
    """A whole request."""
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [] if body is None else ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines) + "\r\n" + headers + "\r\n" + (body or "")


def frame(text: str) -> str:
    """A masked text frame, whose mask is nothing."""
    size = len(text)
    head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE]) + size.to_bytes(2, "big")
    return (head + bytes(4)).decode("latin-1") + text


def reading(number: int, room: str = "hostile") -> dict[str, object]:
    """A good reading."""
    return {"room_id": room, "platform": "camsoda", "tokens_count": number, "timestamp": int(time.time()), "sequence": number}


def _token(lab: Lab, audience: str, *, rooms: tuple[str, ...] = ("*",)) -> str:
    """A token whose subject is its own, so that no kind uses up the budget of another."""
    return lab.token(audience, rooms=rooms, subject=f"hostile-{secrets.token_hex(4)}")


def attacks(lab: Lab) -> Iterator[Attack]:
    """Every kind, each with a token of its own."""
    now = int(time.time())
    forged = _token(lab, "dashboard")[:-4] + "AAAA"
    yield Attack("401_without_token", "broadcast", [request(ONE)])
    yield Attack("401_forged", "broadcast", [request(ONE, forged)])
    yield Attack("404", "broadcast", [request("/nothing")])
    yield Attack("health", "broadcast", [request("/health")])
    yield Attack("openapi", "broadcast", [request("/openapi.json")])
    yield Attack("page", "broadcast", [request("/")])
    yield Attack("403_room", "broadcast", [request(f"{ONE}/other/camsoda", _token(lab, "dashboard", rooms=("mine",)))])
    yield Attack("latest", "broadcast", [request(ONE, _token(lab, "dashboard"))])
    yield Attack("room", "broadcast", [request(f"{ONE}/room-00001/camsoda", _token(lab, "dashboard"))])
    history = f"{ONE}/room-00001/camsoda/history?from={now - 7 * DAY}&to={now}&step=60"
    yield Attack("history_of_a_week", "broadcast", [request(history, _token(lab, "dashboard"))])
    reader = _token(lab, "dashboard")
    spans = [f"from={now - 366 * DAY + 60 * n}&to={now}" for n in range(500)]
    yield Attack("report_of_a_year", "broadcast", [request(f"/api/tracking/analytics?{span}", reader) for span in spans])
    yield Attack(
        "csv", "broadcast", [request(f"/api/tracking/analytics?{span}&step=2592000&format=csv", _token(lab, "dashboard")) for span in spans]
    )
    prefixes = ",".join(f"room-{n:03}*" for n in range(400))
    yield Attack(
        "read_with_prefixes", "broadcast", [request(f"{ONE}?rooms={prefixes[:1900].rpartition(',')[0]}", _token(lab, "dashboard"))]
    )
    yield Attack("handshake_401", "broadcast", [request("/ws/dashboard", headers=UPGRADE)])
    opening = request("/ws/dashboard", _token(lab, "dashboard"), headers=UPGRADE + "Sec-WebSocket-Protocol: pulse.v1\r\n")
    yield Attack("filter_messages", "broadcast", [frame(json.dumps({"type": "filter", "rooms": prefixes.split(",")[:300]}))], opening)
    yield Attack("ping_messages", "broadcast", [frame('{"type":"ping"}')], opening)
    yield Attack("forged_auth_messages", "broadcast", [frame(json.dumps({"type": "auth", "token": forged}))], opening)
    yield Attack("churn_get", "broadcast", [request("/health")], churn=True)
    yield Attack("churn_post", "ingest", [request(ONE, body="{}")], churn=True)
    yield Attack("huge_header", "broadcast", [request(ONE, headers=f"X-Large: {'x' * 60_000}\r\n")])
    slow = f"POST {ONE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n"
    yield Attack("slow_body", "ingest", ["x"], slow, trickle=True)
    yield Attack("page_304", "broadcast", [request("/", headers="If-None-Match: *\r\n")])
    yield Attack("sign_in_post", "broadcast", [request("/api/signin/code", body='{"code":"AAAAAAAA"}')])
    batch = f"{ONE}/batch"
    yield Attack("post_401", "ingest", [request(ONE, body="{}")])
    yield Attack("post_422", "ingest", [request(ONE, _token(lab, "ingest"), body="{}")])
    good = [request(ONE, _token(lab, "ingest", rooms=("hostile",)), body=json.dumps(reading(n))) for n in range(500)]
    yield Attack("post_over_the_rate", "ingest", good)
    yield Attack("batch_of_numbers", "ingest", [request(batch, _token(lab, "ingest"), body="[" + ",".join("1" * 1000) + "]")])
    yield Attack("batch_of_nothing", "ingest", [request(batch, _token(lab, "ingest"), body=json.dumps([{}] * 1000))])
    outside = _token(lab, "ingest", rooms=("mine",))
    yield Attack("batch_of_foreign_rooms", "ingest", [request(batch, outside, body=json.dumps([reading(n, "other") for n in range(1000)]))])
    token = _token(lab, "ingest", rooms=("hostile",))
    yield Attack("batch_over_the_rate", "ingest", [request(batch, token, body=json.dumps([reading(n) for n in range(1000)]))])


class Honest:
    """A producer at another address that posts again and again, and how long each of its POSTs took."""

    def __init__(self, service: Service, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30, source_address=("127.0.0.2", 0))
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._going = True
        self._thread = threading.Thread(target=self._run)
        self.milliseconds: list[float] = []
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while self._going:
            number += 1
            body = json.dumps(reading(number, f"honest-{number % 20}"))
            began = time.perf_counter()
            self._connection.request("POST", ONE, body, self._headers)
            self._connection.getresponse().read()
            self.milliseconds.append((time.perf_counter() - began) * 1000)
            time.sleep(HONEST_PAUSE_SECONDS)

    def finish(self) -> float:
        """Ends it; returns the 99th percentile."""
        self._going = False
        self._thread.join()
        self._connection.close()
        ordered = sorted(self.milliseconds)
        return ordered[int((len(ordered) - 1) * 0.99)]


def _send(plan: Plan) -> dict[str, Any]:
    """Lets a hostile client carry out a plan; returns what it reports."""
    with pinned(LOAD_CORE):
        command = [sys.executable, "-m", "tools.bench.hostile"]
        done = subprocess.run(command, cwd=ROOT, input=msgspec.json.encode(plan), capture_output=True, check=True, timeout=120)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


READS: Final = {"403_room", "latest", "room", "history_of_a_week", "report_of_a_year", "csv", "read_with_prefixes"}


def row(name: str, figures: Figures) -> str:
    """A line of the table, which names what misses the aim and what was offered less than 1 Mbit/s."""
    load, p99, offered = figures[f"{name}_core_percent"], figures[f"{name}_honest_p99_ms"], figures[f"{name}_offered_kb_per_second"]
    misses = [
        text for text, missed in ((f"over {AIM_PERCENT:.0f} %", load > AIM_PERCENT), (f"over {AIM_MS:.0f} ms", p99 > AIM_MS)) if missed
    ]
    if offered * 1000 < 0.9 * BYTES_PER_SECOND:
        misses.append(
            f"offered {offered:.0f} kB/s with {figures[f'{name}_connections']} connections, the bound or all that the client managed"
        )
    return f"| {name} | {offered:.0f} | {load:.1f} | {figures[f'{name}_kb_per_core_second']:,.0f} | {p99:.1f} | {'; '.join(misses)} |"


def write_table(names: list[str], figures: Figures, loads: tuple[float, float]) -> None:
    """Puts the table between the markers of docs/security-costs.md."""
    text = DOCUMENT.read_text()
    head, _, rest = text.partition("<!-- costs -->\n")
    _, _, tail = rest.partition("<!-- end -->")
    lines = [
        f"Load of the machine (1 min) before and after: {loads[0]:.1f} and {loads[1]:.1f}. Each kind for {MEASURE_SECONDS} s.",
        "",
        "| kind | offered, kB/s | part of a core, % | kB per second of a core | honest p99, ms | misses |",
        "|---|---|---|---|---|---|",
        *(row(name, figures) for name in names),
    ]
    DOCUMENT.write_text(head + "<!-- costs -->\n" + "\n".join(lines) + "\n<!-- end -->" + tail)


def costs(lab: Lab) -> Figures:
    """What a hostile client costs: each kind of request at 1 Mbit/s, and an honest producer beside it"""
    lab.touch_rooms()
    ingest, broadcast = lab.ingest(RATE_LIMIT_TOKEN_PER_SECOND="2000", ADDRESS_SHARE=""), lab.broadcast(ADDRESS_SHARE="")
    figures: Figures = {}
    names: list[str] = []
    load_before = os.getloadavg()[0]
    for attack in attacks(lab):
        service = ingest if attack.to == "ingest" else broadcast
        source = f"127.0.1.{len(names) + 1}"  # an address of its own: else the kinds before would have used up its budget
        seconds = READ_BURST_SECONDS if attack.name in READS else BURST_SECONDS
        burst = Plan(service.port, seconds, 16 * BYTES_PER_SECOND, attack.requests, attack.opening, source, attack.churn, attack.trickle)
        _send(burst)
        plan = Plan(service.port, MEASURE_SECONDS, BYTES_PER_SECOND, attack.requests, attack.opening, source, attack.churn, attack.trickle)
        honest, meter = Honest(ingest, lab.token("ingest")), Meter(service.pid)
        told = _send(plan)
        used, p99 = meter.microseconds() / 1e6, honest.finish()
        load = used / MEASURE_SECONDS * 100  # the client's start takes time of its own, in which nothing is sent
        print(f"  {attack.name:24} {told['answers']}", file=sys.stderr, flush=True)
        names.append(attack.name)
        figures[f"{attack.name}_core_percent"] = load
        figures[f"{attack.name}_offered_kb_per_second"] = told["sent"] / 1000 / MEASURE_SECONDS
        figures[f"{attack.name}_connections"] = told["connections"]
        figures[f"{attack.name}_kb_per_core_second"] = told["sent"] / 1000 / max(used, 0.001)
        figures[f"{attack.name}_honest_p99_ms"] = p99
    write_table(names, figures, (load_before, os.getloadavg()[0]))
    return figures
