"""What each kind of request costs us that one hostile token or address sends at 1 Mbit/s, and how long an honest producer waits beside it.

Each kind is sent to a service without budgets first, one request after another: its CPU time is what a request costs. Then it is sent to
services as they are shipped, at 1 Mbit/s from a full budget (the burst), faster until the budget is used up, and at 1 Mbit/s again (what an
attack costs for as long as it goes on). docs/security-costs.md quotes the figures.
"""

import http.client
import itertools
import json
import os
import secrets
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from tools.bench.archive import fill as fill_archive
from tools.bench.hostile import Phase, Plan, group_starts
from tools.bench.lab import Figures, Lab
from tools.bench.processes import LOAD_CORE, BenchError, cpu_seconds, pinned
from tools.processes import ROOT, Service

BYTES_PER_SECOND: Final = 125_000  # 1 Mbit/s
FIRST_SECONDS: Final = 2.0  # at 1 Mbit/s with a full budget
EXHAUST_SECONDS: Final = 3.0  # at sixteen times that, and until one is refused: the budget of the address or of the subject is used up then
EXHAUST_SOCKETS_SECONDS: Final = 80.0  # the same for sockets whose client waits for no answer; at 1 Mbit/s, see LONG_READ_MS
EXHAUST_READ_SECONDS: Final = 10.0  # the same for reads with a token, until the budget of the subject refuses one
LONG_READ_MS: Final = 500.0  # such reads are sent slowly meanwhile, or the budget of the address would refuse them first
LONG_READ_BYTES_PER_SECOND: Final = BYTES_PER_SECOND // 8
SETTLE_SECONDS: Final = 1.5  # at 1 Mbit/s again: for requests of the phase before that are still being answered
MEASURE_SECONDS: Final = 5.0
READ_SECONDS: Final = 15.0  # the same for reads with a token; longer where they are admitted in groups, see `_steady`
SPANS: Final = 5000  # of reports that differ, so that none is answered with one that is kept
CYCLES: Final = 2  # of such groups: the debt after one is the same as after the next
RAW_SECONDS: Final = 1.0
DOCUMENT: Final = ROOT / "docs" / "security-costs.md"
AIM_PERCENT: Final = 10.0
AIM_MS: Final = 50.0
ONLY: Final = set(filter(None, os.environ.get("COST_KINDS", "").split(",")))  # measures these kinds alone
HONEST_PAUSE_SECONDS: Final = 0.02
ONE: Final = "/api/tracking/telemetry"
DAY: Final = 86400
PREFIXES: Final = [f"room-{n:03}*" for n in range(400)]
UPGRADE: Final = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"


class Attack(NamedTuple):
    """Requests of one kind to one of the services; the last four are those of a `Plan`."""

    name: str
    to: str
    requests: list[str]
    opening: str = ""
    churn: bool = False
    trickle: bool = False
    answers: int = 1
    silent: bool = False

    def plan(self, service: Service, source: str, *phases: Phase, **more: Any) -> Plan:
        """What a hostile client at an address of its own does."""
        opening, churn, trickle, answers, silent = self[3:]
        return Plan(service.port, list(phases), self.requests, opening, source, churn, trickle, answers, silent, **more)


def request(path: str, token: str = "", *, body: str | None = None, headers: str = "", method: str = "") -> str:
    """A whole request."""
    lines = [f"{method or ('GET' if body is None else 'POST')} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [] if body is None else ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines) + "\r\n" + headers + "\r\n" + (body or "")


def frame(text: str, opcode: int = 1, *, fin: bool = True) -> str:
    """A masked frame, whose mask is nothing."""
    size, first = len(text), 0x80 * fin | opcode
    head = bytes([first, 0x80 | size]) if size < 126 else bytes([first, 0xFE]) + size.to_bytes(2, "big")
    return (head + bytes(4)).decode("latin-1") + text


def reading(number: int, room: str = "hostile") -> dict[str, object]:
    """A good reading."""
    return {"room_id": room, "platform": "camsoda", "tokens_count": number, "timestamp": int(time.time()), "sequence": number}


def _token(lab: Lab, audience: str, *, rooms: tuple[str, ...] = ("*",)) -> str:
    """A token whose subject is its own, so that no kind uses up the budget of another."""
    return lab.token(audience, rooms=rooms, subject=f"hostile-{secrets.token_hex(4)}")


def attacks(lab: Lab) -> Iterator[Attack]:
    """Every kind, each with a token of its own."""
    yield from _reads(lab)
    yield from _sockets(lab)
    yield from _connections()
    yield from _signing_in(lab)
    yield from _posts(lab)


def _reads(lab: Lab) -> Iterator[Attack]:
    now = int(time.time())
    forged = _token(lab, "dashboard")[:-4] + "AAAA"
    yield Attack("401_without_token", "broadcast", [request(ONE)])
    yield Attack("401_forged", "broadcast", [request(ONE, forged)])
    yield Attack("404", "broadcast", [request("/nothing")])
    yield Attack("health", "broadcast", [request("/health")])
    yield Attack("livez", "broadcast", [request("/livez")])
    yield Attack("readyz", "broadcast", [request("/readyz")])
    yield Attack("openapi", "broadcast", [request("/openapi.json")])
    yield Attack("page", "broadcast", [request("/")])
    yield Attack("403_room", "broadcast", [request(f"{ONE}/other/camsoda", _token(lab, "dashboard", rooms=("mine",)))])
    yield Attack("latest", "broadcast", [request(ONE, _token(lab, "dashboard"))])
    yield Attack("room", "broadcast", [request(f"{ONE}/room-00001/chaturbate", _token(lab, "dashboard"))])
    history = f"{ONE}/room-00001/chaturbate/history?from={now - 7 * DAY}&to={now}&step=60"
    yield Attack("history_of_a_week", "broadcast", [request(history, _token(lab, "dashboard"))])
    explained = f"{ONE}/room-00001/chaturbate/explain?from={now - 7 * DAY}&to={now}"
    yield Attack("explain_a_week", "broadcast", [request(explained, _token(lab, "dashboard"))])
    hours = [f"{ONE.rpartition('/')[0]}/audience?from={now - 3600 - n}&to={now - n}" for n in range(SPANS)]
    reader = _token(lab, "dashboard")
    yield Attack("audience", "broadcast", [request(hour, reader) for hour in hours])
    yield Attack("studio", "broadcast", [request("/api/studio", _token(lab, "dashboard"))])
    yield Attack("studio_of_some_rooms", "broadcast", [request("/api/studio", _token(lab, "dashboard", rooms=("room-*",)))])
    yield Attack("upgrade_required", "broadcast", [request("/ws/dashboard", _token(lab, "dashboard"))])
    reader = _token(lab, "dashboard")
    spans = [f"from={now - 366 * DAY + 60 * n}&to={now}" for n in range(SPANS)]
    yield Attack("report_of_a_year", "broadcast", [request(f"/api/tracking/analytics?{span}", reader) for span in spans])
    reader = _token(lab, "dashboard")
    yield Attack("csv", "broadcast", [request(f"/api/tracking/analytics?{span}&step=2592000&format=csv", reader) for span in spans])
    reader = _token(lab, "dashboard")
    yield Attack("xlsx", "broadcast", [request(f"/api/tracking/analytics?{span}&step=2592000&format=xlsx", reader) for span in spans])
    reader = _token(lab, "dashboard")
    yield Attack("report_by_feed", "broadcast", [request(f"/api/tracking/analytics?{span}&step=2592000&by=feed", reader) for span in spans])
    yield from _archived_reads(lab, now // DAY * DAY)
    for name, prefixes in (("read_with_prefixes", PREFIXES), ("read_of_no_room", [f"nothing-{n:03}*" for n in range(400)])):
        path = f"{ONE}?rooms={','.join(prefixes)[:1900].rpartition(',')[0]}"
        yield Attack(name, "broadcast", [request(path, _token(lab, "dashboard"))])


def _archived_reads(lab: Lab, midnight: int) -> Iterator[Attack]:
    """Reads of days that Redis no longer has."""
    spans = [f"from={midnight - 365 * DAY}&to={midnight - 900 * n}" for n in range(SPANS)]
    for name, more in (("archived_year", f"&step={DAY}"), ("archived_year_csv", f"&step={DAY}&format=csv")):
        reader = _token(lab, "dashboard", rooms=("archived-*",))
        yield Attack(name, "archive", [request(f"/api/tracking/analytics?{span}{more}", reader) for span in spans])
    path = f"{ONE}/archived-0001/camsoda/explain?from={midnight - 60 * DAY}&to={midnight - 50 * DAY}"
    yield Attack("explain_archived_days", "archive", [request(path, _token(lab, "dashboard"))])


def _sockets(lab: Lab) -> Iterator[Attack]:
    forged = _token(lab, "dashboard")[:-4] + "AAAA"
    yield Attack("handshake_401", "broadcast", [request("/ws/dashboard", headers=UPGRADE)])
    yield Attack("handshake_forged", "broadcast", [request("/ws/dashboard", forged, headers=UPGRADE)])

    def opening(token: str) -> str:
        return request("/ws/dashboard", token, headers=UPGRADE + "Sec-WebSocket-Protocol: pulse.v1\r\n")

    def opened() -> str:
        return opening(_token(lab, "dashboard"))

    yield Attack("open_and_leave", "broadcast", [opened()], churn=True)
    yield Attack("filter_messages", "broadcast", [frame(json.dumps({"type": "filter", "rooms": PREFIXES[:300]}))], opened())
    everything, nothing = (frame(json.dumps({"type": "filter", "rooms": [name]})) for name in ("room-*", "no-such-room"))
    yield Attack("filter_of_everything", "broadcast", [everything, nothing], opened())
    yield Attack("ping_messages", "broadcast", [frame('{"type":"ping"}')], opened())
    renewed = _token(lab, "dashboard")
    yield Attack("renewals", "broadcast", [frame(json.dumps({"type": "auth", "token": renewed}))], opening(renewed))
    yield Attack("forged_auth_messages", "broadcast", [frame(json.dumps({"type": "auth", "token": forged}))], opened())
    yield Attack("ping_frames", "broadcast", [frame("x", opcode=9)], opened())
    yield Attack("empty_fragments", "broadcast", [frame("", fin=False), frame("", opcode=0, fin=False)], opened(), silent=True)


def _connections() -> Iterator[Attack]:
    yield Attack("churn_get", "broadcast", [request("/health")], churn=True)
    yield Attack("churn_post", "ingest", [request(ONE, body="{}")], churn=True)
    yield Attack("huge_header", "broadcast", [request(ONE, headers=f"X-Large: {'x' * 60_000}\r\n")])
    slow = f"POST {ONE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n"
    yield Attack("slow_body", "ingest", ["x"], slow, trickle=True)
    yield Attack("page_304", "broadcast", [request("/", headers="If-None-Match: *\r\n")])
    yield Attack("pipelined_404", "broadcast", [request("/nothing") * 20], answers=20)
    yield Attack("no_http", "broadcast", ["\x16\x03\x01\r\n\r\n"])


def _signing_in(lab: Lab) -> Iterator[Attack]:
    def bearer() -> str:
        return _token(lab, "dashboard")

    sign_in, decision = "/api/signin", json.dumps({"approve": False})
    pairing, claim = f"{sign_in}/pairings/AAAAAA", json.dumps({"letters": "AAAAAA", "claim": "A" * 43})
    yield Attack("sign_in_post", "broadcast", [request(f"{sign_in}/code", body='{"code":"AAAAAAAA"}')])
    yield Attack("sign_in_current", "broadcast", [request(sign_in, bearer())])
    yield Attack("sign_in_with_token", "broadcast", [request(f"{sign_in}/token", bearer(), body="{}")])
    yield Attack("sign_out", "broadcast", [request(f"{sign_in}/out", body="{}")])
    yield Attack("screens", "broadcast", [request(f"{sign_in}/screens", bearer())])
    yield Attack("end_screen", "broadcast", [request(f"{sign_in}/screens/absent", bearer(), method="DELETE")])
    yield Attack("start_pairing", "broadcast", [request(f"{sign_in}/pairings", body="{}")])
    yield Attack("claim_pairing", "broadcast", [request(f"{sign_in}/pairings/claim", body=claim)])
    yield Attack("show_pairing", "broadcast", [request(pairing, bearer())])
    yield Attack("decide_pairing", "broadcast", [request(pairing, bearer(), body=decision)])
    yield Attack("qr_code", "broadcast", [request(f"{pairing}/qr.svg")])


def _posts(lab: Lab) -> Iterator[Attack]:
    batch = f"{ONE}/batch"
    yield Attack("post_401", "ingest", [request(ONE, body="{}")])
    yield Attack("post_422", "ingest", [request(ONE, _token(lab, "ingest"), body="{}")])
    poster = _token(lab, "ingest", rooms=("hostile",))
    yield Attack("post_over_the_rate", "ingest", [request(ONE, poster, body=json.dumps(reading(n))) for n in range(500)])
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
        self._samples: list[tuple[float, float]] = []
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while self._going:
            number += 1
            body = json.dumps(reading(number, f"honest-{number % 20}"))
            began = time.monotonic()
            self._connection.request("POST", ONE, body, self._headers)
            self._connection.getresponse().read()
            self._samples.append((began, (time.monotonic() - began) * 1000))
            time.sleep(HONEST_PAUSE_SECONDS)

    def finish(self) -> None:
        """Ends it."""
        self._going = False
        self._thread.join()
        self._connection.close()

    def p99(self, start: float, end: float) -> float:
        """The 99th percentile of the POSTs that began in a span of the monotonic clock."""
        ordered = sorted(took for began, took in self._samples if start <= began < end)
        return ordered[int((len(ordered) - 1) * 0.99)]


class Measured(NamedTuple):
    """A phase of an attack: CPU seconds of the service, bytes sent by the client, and the honest producer's 99th percentile."""

    seconds: float
    core_seconds: float
    sent: int
    honest_p99_ms: float

    @property
    def core_percent(self) -> float:
        """The part of a core."""
        return self.core_seconds / self.seconds * 100


class Sampler:
    """The CPU time of a process over time, read every few milliseconds by a thread."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._going = True
        self._samples = [(time.monotonic(), cpu_seconds(pid))]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while self._going:
            time.sleep(0.02)
            self._samples.append((time.monotonic(), cpu_seconds(self._pid)))

    def finish(self) -> None:
        """Ends it."""
        self._going = False
        self._thread.join()

    def used(self, start: float, end: float) -> float:
        """The CPU seconds between two moments of the monotonic clock."""
        inside = [used for at, used in self._samples if start <= at <= end]
        return inside[-1] - inside[0]


def _attack(service: Service, plan: Plan, honest: Honest | None) -> tuple[list[Measured], dict[str, Any], Sampler]:
    """Lets a hostile client carry out a plan; returns what each phase of it costs, what the client reports, and the CPU time."""
    with pinned(LOAD_CORE):
        command = [sys.executable, "-m", "tools.bench.hostile"]
        client = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.stdin is not None
    assert client.stdout is not None
    sampler = Sampler(service.pid)
    try:
        client.stdout.readline()
        client.stdin.write(msgspec.json.encode(plan) + b"\n")
        client.stdin.flush()
        began = float(client.stdout.readline())
        report: dict[str, Any] = json.loads(client.communicate(timeout=400)[0])
    finally:
        client.kill()
        client.wait()
        sampler.finish()
    report["used"] = sampler.used(began, time.monotonic())
    spans = zip(itertools.pairwise([began, *report["ends"]]), report["sent"], strict=True)
    return (
        [
            Measured(end - start, sampler.used(start, end), sent, 0.0 if honest is None else honest.p99(start, end))
            for (start, end), sent in spans
        ],
        report,
        sampler,
    )


def _raw(service: Service, attack: Attack) -> float:
    """The CPU milliseconds of one request or message where no budget refuses any, one after another."""
    plan = attack.plan(service, "127.0.3.1", Phase(RAW_SECONDS, 16 * BYTES_PER_SECOND), connections=1, grows=False)
    _, report, _ = _attack(service, plan, None)
    answered = sum(number for answer, number in report["answers"].items() if answer != "unconnected")
    _wait_until_idle(service)
    return float(report["used"] * 1000 / max(1, answered))


def _wait_until_idle(service: Service) -> None:
    """Waits until the work that a client left behind is done."""
    for _ in range(100):
        before = cpu_seconds(service.pid)
        time.sleep(0.2)
        if cpu_seconds(service.pid) - before < 0.04:
            return


READS: Final = {
    "latest",
    "room",
    "history_of_a_week",
    "explain_a_week",
    "audience",
    "studio",
    "studio_of_some_rooms",
    "report_of_a_year",
    "report_by_feed",
    "archived_year",
    "archived_year_csv",
    "explain_archived_days",
    "csv",
    "xlsx",
    "read_with_prefixes",
    "read_of_no_room",
}
SOCKETS: Final = {"open_and_leave", "filter_of_everything", "forged_auth_messages"}  # whose snapshots the subject pays for
HEAD: Final = (
    "| kind | a request, ms | first seconds: part of a core, % | honest p99, ms "
    "| after the burst: offered, kB/s | part of a core, % | kB per second of a core | honest p99, ms | misses |"
)


def row(name: str, figures: Figures) -> str:
    """A line of the table, with the aims that it misses, and the offered bytes where they are below 1 Mbit/s."""
    load, p99, offered = (figures[f"{name}_{figure}"] for figure in ("core_percent", "honest_p99_ms", "offered_kb_per_second"))
    misses = [
        text
        for text, missed in (
            (f"over {AIM_PERCENT:.0f} %", load > AIM_PERCENT),
            (f"over {AIM_MS:.0f} ms", max(p99, figures[f"{name}_first_honest_p99_ms"]) > AIM_MS),
        )
        if missed
    ]
    if figures[f"{name}_not_used_up"]:
        misses.append("the budget was not used up before, so this is a part of the burst")
    if offered * 1000 < 0.9 * BYTES_PER_SECOND:
        misses.append(
            f"offered {offered:.0f} kB/s with {figures[f'{name}_connections']} connections, the bound or all that the client managed"
        )
    shown = [figures[f"{name}_{figure}"] for figure in ("raw_ms", "first_core_percent", "first_honest_p99_ms")]
    cells = [f"{shown[0]:.2f}", f"{shown[1]:.1f}", f"{shown[2]:.1f}", f"{offered:.0f}", f"{load:.1f}"]
    cells += [f"{figures[f'{name}_kb_per_core_second']:,.0f}", f"{p99:.1f}", "; ".join(misses)]
    return f"| {name} | {' | '.join(cells)} |"


def write_table(names: list[str], figures: Figures, loads: tuple[float, float]) -> None:
    """Puts the table between the markers of docs/security-costs.md. Where some kinds alone were measured, replaces their rows."""
    text = DOCUMENT.read_text()
    head, _, rest = text.partition("<!-- costs -->\n")
    before, _, tail = rest.partition("\n<!-- end -->")
    floor = (
        f"load of the machine (1 min) {loads[0]:.1f} before and {loads[1]:.1f} after; without an attack the honest producer takes "
        f"{figures['floor_ingest_core_percent']:.1f} % of a core at ingest, broadcast takes "
        f"{figures['floor_broadcast_core_percent']:.1f} %, and the 99th percentile is {figures['floor_honest_p99_ms']:.1f} ms"
    )
    rows = {name: row(name, figures) for name in names}
    if ONLY:
        kept = [rows.pop(line.split(" ")[1], line) if line.startswith("| ") else line for line in before.split("\n")]
        lines = [*_wrapped(f"- {', '.join(names)}, measured again: {floor}."), *kept, *rows.values()]
    else:
        lines = [*_wrapped(f"- All kinds: {floor}."), "", HEAD, "|" + "---|" * HEAD.count(" |"), *rows.values()]
    DOCUMENT.write_text(head + "<!-- costs -->\n" + "\n".join(lines) + "\n<!-- end -->" + tail)


def _wrapped(item: str) -> list[str]:
    """An item of a list in lines of the documents' width."""
    return textwrap.wrap(item, 120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def costs(lab: Lab) -> Figures:
    """What a hostile client costs: each kind of request at 1 Mbit/s, and an honest producer beside it"""
    lab.touch_rooms(per_second=1500)
    studio_file = _studio_file(lab)
    fill_archive(lab.database_url)
    services = {
        "ingest": lab.ingest(RATE_LIMIT_TOKEN_PER_SECOND="", ADDRESS_SHARE=""),
        "broadcast": lab.broadcast(ADDRESS_SHARE="", READ_SHARE="", STUDIO_FILE=studio_file),
        "archive": lab.broadcast(ADDRESS_SHARE="", READ_SHARE="", DATABASE_URL=lab.database_url),
        "free archive": lab.broadcast(DATABASE_URL=lab.database_url),
        "free ingest": lab.ingest(RATE_LIMIT_ROOM_PER_SECOND="0"),
        "free broadcast": lab.broadcast(STUDIO_FILE=studio_file),
    }
    _fill_week(services["free ingest"], lab.token("ingest"))
    figures: Figures = {}
    names: list[str] = []
    load_before = os.getloadavg()[0]
    honest = Honest(services["ingest"], lab.token("ingest"))
    floors = {}
    for kind in ("ingest", "broadcast", "archive"):
        began, used = time.monotonic(), cpu_seconds(services[kind].pid)
        time.sleep(MEASURE_SECONDS)
        floors[kind] = (cpu_seconds(services[kind].pid) - used) / (time.monotonic() - began) * 100
        figures[f"floor_{kind}_core_percent"] = floors[kind]
        figures["floor_honest_p99_ms"] = honest.p99(began, time.monotonic())
    try:
        for attack in attacks(lab):
            if ONLY and attack.name not in ONLY:
                continue
            names.append(attack.name)
            figures |= {
                f"{attack.name}_{figure}": value for figure, value in _costs_of(attack, services, honest, floors, len(names)).items()
            }
    finally:
        honest.finish()
    write_table(names, figures, (load_before, os.getloadavg()[0]))
    return figures


def _refusal(attack: Attack) -> str:
    """The answer that shows that a budget is used up; empty where the client does not wait for answers."""
    if attack.churn or attack.trickle or attack.silent:
        return ""
    if attack.name in READS:
        return "429 budget"
    if attack.name in SOCKETS:
        return "opening 429"
    return "429" if attack.name.startswith("batch") else "closed"


def _exhausting(attack: Attack, raw_ms: float) -> tuple[float, float]:
    """For how many seconds at least, and at how many bytes a second, the budget of a kind is used up."""
    if attack.name in SOCKETS and attack.churn:
        return EXHAUST_SOCKETS_SECONDS, BYTES_PER_SECOND
    if attack.name in READS:
        return EXHAUST_READ_SECONDS, LONG_READ_BYTES_PER_SECOND if raw_ms > LONG_READ_MS else 16 * BYTES_PER_SECOND
    return EXHAUST_SECONDS, 16 * BYTES_PER_SECOND


def _steady(after: Measured, report: dict[str, Any], sampler: Sampler) -> Measured:
    """The part of the last phase that lies between two moments at which the subject owes the same.

    A read of seconds is paid for after it was made, and reads that wait together cost their address a long debt when they are refused: the
    service works for seconds and then refuses for a minute. A span that is cut anywhere in between would be the share of that cut.
    Where reads are admitted in such groups, this is the span from the beginning of the first group to that of the last one.
    """
    end = report["ends"][-1]
    begun = group_starts([at for at in report["admitted"] if end - after.seconds <= at < end])
    if len(begun) < 2:
        return after
    seconds = begun[-1] - begun[0]
    return after._replace(seconds=seconds, core_seconds=sampler.used(begun[0], begun[-1]), sent=int(after.sent * seconds / after.seconds))


def _studio_file(lab: Lab) -> str:
    """A studio that names a thousand rooms and as many accounts; returns its path."""
    lines = ['timezone = "America/Bogota"']
    for number in range(1000):
        lines += [
            f'[room."room-{number:05d}"]',
            f'name = "Sala {number}"',
            f'[account."chaturbate:{number:08d}"]',
            f'name = "Ana {number}"',
        ]
    path = lab.directory / "studio.toml"
    path.write_text("\n".join(lines))
    return str(path)


def _fill_week(service: Service, token: str) -> None:
    """Posts a reading for each minute of the last week, so that a chart of one room is as expensive as it gets."""
    now = int(time.time())
    moments = range(now - 7 * DAY + 3600, now, 60)
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    for first in range(0, len(moments), 1000):
        readings = [
            reading(number, "room-00001") | {"platform": "chaturbate", "timestamp": moment}
            for number, moment in enumerate(moments[first : first + 1000], first)
        ]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", f"{ONE}/batch", json.dumps(readings), headers)
        response = connection.getresponse()
        results = {item["result"] for item in json.loads(response.read())["results"]}
        if response.status != 200 or "rejected" in results:
            raise BenchError(f"the week of a room was not stored: {response.status}, {results}")
    connection.close()


def _costs_of(attack: Attack, services: dict[str, Service], honest: Honest, floors: dict[str, float], number: int) -> Figures:
    """The figures of one kind."""
    raw = _raw(services[f"free {attack.to}"], attack)
    refusal = _refusal(attack)
    service, source = services[attack.to], f"127.0.1.{number}"  # an address of its own: else the kinds before would have used up its budget
    exhaust_seconds, exhaust_rate = _exhausting(attack, raw)
    phases = (
        Phase(FIRST_SECONDS, BYTES_PER_SECOND),
        Phase(exhaust_seconds, exhaust_rate, until=refusal),
        Phase(SETTLE_SECONDS, BYTES_PER_SECOND),
        Phase(
            READ_SECONDS if attack.name in READS | SOCKETS else MEASURE_SECONDS, BYTES_PER_SECOND, cycles=CYCLES * (attack.name in READS)
        ),
    )
    (first, _, _, whole), report, sampler = _attack(service, attack.plan(service, source, *phases), honest)
    after = _steady(whole, report, sampler)
    load = max(0.0, after.core_percent - floors[attack.to])
    figures = {
        "raw_ms": raw,
        "first_core_percent": max(0.0, first.core_percent - floors[attack.to]),
        "first_honest_p99_ms": first.honest_p99_ms,
        "core_percent": load,
        "offered_kb_per_second": after.sent / 1000 / after.seconds,
        "connections": report["connections"],
        "kb_per_core_second": after.sent / 1000 / max(load / 100 * after.seconds, 0.001),
        "honest_p99_ms": after.honest_p99_ms,
        "not_used_up": float(bool(refusal) and not report["answers"].get(refusal)),
    }
    shown = "  ".join(f"{name} {value:.2f}" for name, value in figures.items())
    print(f"  {attack.name:24} {shown} {report['answers']}", file=sys.stderr, flush=True)
    _wait_until_idle(service)
    return figures
