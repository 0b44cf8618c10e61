"""The shipped Caddyfile in a real Caddy, over TLS that clients verify, in front of two of each service on the shipped store."""

import concurrent.futures
import http.client
import os
import re
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterable, Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from broadcast_service.http.static import COMMON_HEADERS, DOCUMENT_HEADERS, KEEP_FOR_EVER, NAMED_BY_CONTENT, read_files
from shared.contract.problems import API_HEADERS
from tests.deploy.conftest import Chain
from tests.deploy.front import is_debians
from tests.support.clients import Dashboard, OldClient, Producer, metric
from tests.support.speed import Stopwatch
from tools.processes import ROOT
from tools.waiting import wait_until

TELEMETRY = "/api/tracking/telemetry"


def test_a_reading_goes_all_the_way_over_tls(production: Chain) -> None:
    """Posted over HTTPS it arrives over WSS, with the token as a subprotocol and, for clients of old, in the header."""
    replicas, front = production
    token = replicas.stack.token("dashboard")
    with (
        Dashboard(front.url, token) as dashboard,
        OldClient(front.url, token) as old,
        Producer(front.url, replicas.stack.token("ingest")) as p,
    ):
        assert p.post("through", 7).json()["result"] == "accepted"
        dashboard.wait_for_tokens("through", 7)
        wait_until(lambda: old.next_event()["room_id"] == "through", "the event of old")
    with Dashboard(front.url, token) as late:
        late.wait_for_tokens("through", 7)


def test_batches_and_reads_go_to_their_services(production: Chain) -> None:
    """The same path is ingest's for a POST and broadcast's for a GET."""
    replicas, front = production
    now_ms = time.time_ns() // 1_000_000
    readings = [
        {"room_id": f"batch-{n}", "platform": "camsoda", "tokens_count": n, "timestamp": now_ms // 1000, "sequence": now_ms}
        for n in range(5)
    ]
    with httpx.Client(base_url=front.url) as client:
        posting, reading = ({"Authorization": f"Bearer {replicas.stack.token(audience)}"} for audience in ("ingest", "dashboard"))
        results = client.post(f"{TELEMETRY}/batch", json=readings, headers=posting).json()["results"]
        assert [result["result"] for result in results] == ["accepted"] * 5
        assert client.get(f"{TELEMETRY}/batch-3/camsoda", headers=reading).json()["tokens_count"] == 3
        known = wait_until(lambda: client.get(TELEMETRY, headers=reading).json()["events"], "the latest values")
        assert {event["event_type"] for event in known} == {"TELEMETRY_UPDATE"}
        assert client.get("/api/tracking/analytics", headers=reading).status_code == 200
        assert client.get(f"{TELEMETRY}/batch-3/camsoda/history", headers=reading).status_code == 200


def test_the_page_comes_with_its_policy(production: Chain) -> None:
    """The service's headers pass unchanged, HTTPS is made to last, and the proxy does not advertise itself."""
    answer = httpx.get(production[1].url)
    expected = {**COMMON_HEADERS, **DOCUMENT_HEADERS}
    assert {name: answer.headers[name] for name in expected} == expected
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Server" not in answer.headers


PRIVATE = ("/metrics", "/readyz", "/openapi.json")
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)]


def spellings(path: str) -> Iterator[str]:
    """Spellings that try to get a path past a list."""
    yield from (
        path,
        path + "/",
        path.upper(),
        "/" + path,
        f"/%{ord(path[1]):02x}{path[2:]}",
        f"/x/..{path}",
        path + "?x=1",
        path + "?/x.js",
    )
    yield from (f"/api/..{path}", f"/api/%2e%2e{path}", f"/api/..%2f{path[1:]}", f"/api//..{path}", f"/x.js/..{path}", f"{path}/../x.js")
    yield from (path + ";.js", path + ".js", path + "%2f.js", path + "#x.js", path + "\\", path + "%5c", path + "%20", path + "%c0%8a")
    for control in CONTROLS:
        quoted = urllib.parse.quote(control)
        for written in {quoted, quoted.lower(), quoted.replace("%", "%25"), control}:
            yield from (path + written, f"/{written}{path}", f"{path}{written}.js")


def ask(port: int, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Each path as it is written, with status and body of the answer, on one connection for as long as the front keeps it."""
    context, connection = ssl.create_default_context(), None
    for path in paths:
        connection = connection or context.wrap_socket(
            socket.create_connection(("localhost", port), timeout=5), server_hostname="localhost"
        )
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        yield path, b"%d %s" % (response.status, response.read())
        if response.will_close:
            connection.close()
            connection = None
    if connection is not None:
        connection.close()


@pytest.mark.parametrize("path", PRIVATE)
def test_what_is_not_listed_is_not_public(production: Chain, path: str) -> None:
    """However it is spelt, with every control character in every place."""
    answers = dict(ask(production[1].port, spellings(path)))
    public = {spelt: answer[:80] for spelt, answer in answers.items() if not re.match(rb"(400|404) ", answer)}
    assert public == {}
    assert not any(word in answer for answer in answers.values() for word in (b"pulse_", b"not ready", b'"ready"', b'"openapi"'))


def test_a_service_refuses_control_characters_itself(production: Chain) -> None:
    """On every path and both listeners: 400 before anything is routed."""
    replicas, _ = production
    for service in (replicas.ingests[0], replicas.broadcasts[0]):
        for path in ("/livez", "/readyz", "/", TELEMETRY, f"{TELEMETRY}/a/camsoda", "/ws/dashboard", "/nowhere"):
            spelt = [f"{path}{urllib.parse.quote(control)}" for control in CONTROLS] + [f"/{urllib.parse.quote(CONTROLS[10])}{path}"]
            with httpx.Client(base_url=service.url) as client:
                assert {client.get(one).status_code for one in spelt} == {400}


def test_the_services_do_not_answer_prometheus_where_the_front_asks(production: Chain) -> None:
    """Metrics are on a listener of their own, which has nothing else."""
    replicas, _ = production
    for service in (replicas.ingests[0], replicas.broadcasts[0]):
        assert httpx.get(f"{service.url}/metrics").status_code == 404
        assert "pulse_build_info" in httpx.get(service.metrics_url).text
        assert httpx.get(service.metrics_url.replace("/metrics", "/livez")).status_code == 404
        assert httpx.get(f"{service.metrics_url}%0a").status_code == 400


def test_every_file_of_the_page_is_public(production: Chain) -> None:
    """With its own policy, and `/health` and `/livez`, which say nothing."""
    _, front = production
    files = [name for name in read_files().pages if name]
    with httpx.Client(base_url=front.url) as client:
        answers = {file: client.get(f"/{file}") for file in ["", *files]}
        assert {file: answer.status_code for file, answer in answers.items()} == dict.fromkeys(answers, 200)
        kept = {file: answer.headers.get_list("Cache-Control") for file, answer in answers.items()}
        assert kept == {file: [KEEP_FOR_EVER if NAMED_BY_CONTENT.match(file) else "no-cache"] for file in answers}
        assert [client.get(path).json() for path in ("/health", "/livez")] == [{"status": "ok"}] * 2


def test_the_fronts_own_answers_are_not_kept_guessed_at_or_framed(production: Chain) -> None:
    """The front's own refusals have the headers of the services' refusals, once each, and name no server."""
    replicas, front = production
    headers = {"Authorization": f"Bearer {replicas.stack.token('ingest')}", "Content-Type": "application/json"}
    answers = [
        httpx.get(f"{front.url}/metrics"),
        httpx.get(f"{front.url}/nowhere"),
        httpx.get(f"{front.url}/api/nowhere"),
        httpx.post(f"{front.url}{TELEMETRY}", content=b" " * 3_000_000, headers=headers, timeout=10),
        httpx.get(f"{front.url}/health"),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 413, 200]
    for answer in answers:
        for name, value in API_HEADERS.items():
            assert answer.headers.get_list(name) == [value]
        assert not answer.headers.keys() & {"server", "via"}


def test_the_front_serves_its_own_metrics_inside(production: Chain) -> None:
    """On a port that compose.yaml does not publish."""
    assert "caddy_" in httpx.get(f"http://127.0.0.1:{production[1].metrics_port}/metrics").text


@pytest.mark.parametrize("size", [1_200_000, 3_000_000, 30_000_000])
def test_a_large_body_is_refused(production: Chain, size: int) -> None:
    """By the service where the length is declared, by the front before anything is read where it is far too large."""
    replicas, front = production
    headers = {"Authorization": f"Bearer {replicas.stack.token('ingest')}", "Content-Type": "application/json", "Content-Length": str(size)}
    answer = httpx.post(f"{front.url}{TELEMETRY}", content=b" " * size, headers=headers, timeout=10)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 413


def test_a_large_body_of_unknown_length_is_refused(production: Chain) -> None:
    """Chunks are counted as they come."""
    replicas, front = production
    headers = {"Authorization": f"Bearer {replicas.stack.token('ingest')}", "Content-Type": "application/json"}
    assert httpx.post(f"{front.url}{TELEMETRY}", content=iter([b" " * 3_000_000]), headers=headers, timeout=10).status_code == 413


def test_a_broken_body_affects_no_other_client(production: Chain) -> None:
    """However many clients send one, no replica is shut out for it: the next reading does not wait."""
    replicas, front = production
    headers = {"Authorization": f"Bearer {replicas.stack.token('ingest')}", "Content-Type": "application/json"}
    for _ in replicas.ingests:
        httpx.post(f"{front.url}{TELEMETRY}", content=iter([b" " * 1_000_000] * 4), headers=headers, timeout=10)
    with Producer(front.url, replicas.stack.token("ingest")) as producer:
        watch = Stopwatch(front.pid, *(service.pid for service in replicas.ingests))
        assert producer.post("unharmed", 1).status_code == 200
        assert watch.seconds < 1


def test_large_headers_are_refused(production: Chain) -> None:
    """Before they reach a service."""
    assert httpx.get(production[1].url, headers={"X-Large": "x" * 30_000}).status_code == 431


def test_slow_headers_are_cut(production: Chain) -> None:
    """A client that sends them byte by byte does not hold a connection for long."""
    address = ("localhost", production[1].port)
    with socket.create_connection(address) as plain, ssl.create_default_context().wrap_socket(plain, server_hostname="localhost") as slow:
        slow.settimeout(30)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: local")
        assert b" 200 " not in b"".join(iter(lambda: slow.recv(65536), b""))


def test_refusals_of_the_upgrade_pass(production: Chain) -> None:
    """A plain GET gets 426, and a socket without a token is refused with its real status."""
    _, front = production
    assert httpx.get(f"{front.url}/ws/dashboard").status_code == 426
    with pytest.raises(InvalidStatus) as refusal, connect(front.url.replace("http", "ws") + "/ws/dashboard"):
        pass
    assert refusal.value.response.status_code == 401


def test_sockets_are_spread_over_the_replicas(production: Chain) -> None:
    """The replica with the fewest connections gets the next one."""
    replicas, front = production
    token = replicas.stack.token("dashboard")
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        dashboards = list(threads.map(lambda _: Dashboard(front.url, token).__enter__(), range(8)))
    try:
        wait_until(lambda: all(metric(b.url, "pulse_clients") >= 3 for b in replicas.broadcasts), "a share for each")
    finally:
        for dashboard in dashboards:
            dashboard.__exit__()


def test_http_is_redirected(production: Chain) -> None:
    """Where there is a certificate, plain HTTP redirects to it."""
    front = production[1]
    answer = httpx.get(f"http://localhost:{front.http_port}/?view=wall")
    assert (answer.status_code, answer.headers["Location"]) == (308, "https://localhost/?view=wall")


def test_the_smoke_check_passes_over_tls(production: Chain) -> None:
    """All five checks, with the authority given as an operator with a private one would."""
    replicas, front = production
    given = {name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE")} | {"TOKEN_KEYS": replicas.stack.token_keys}
    command = [sys.executable, "-S", "tools/smoke.py", front.url]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" ok ") == 5


def test_sockets_survive_a_reload(production: Chain) -> None:
    """A change of the configuration is not felt by a dashboard."""
    if is_debians():
        pytest.skip("Debian's Caddy ends sockets when it reloads")
    replicas, front = production
    with (
        Dashboard(front.url, replicas.stack.token("dashboard")) as dashboard,
        Producer(front.url, replicas.stack.token("ingest")) as producer,
    ):
        dashboard.wait_for(lambda d: d.of("SYNC"), "the snapshot")
        front.reload()
        producer.post("reloaded", 3)
        dashboard.wait_for_tokens("reloaded", 3)
        assert len(dashboard.of("HELLO")) == 1
