"""Traces: the spans that a collector receives from both services, and none where tracing is off."""

import http.server
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.clients import Dashboard
from tests.support.posting import BATCH, JSON, ONE, authorization, body_of, post
from tests.support.raw_http import exchange, request
from tools.processes import ROOT
from tools.stack import Stack
from tools.waiting import wait_until

CANARY = "canary-room"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """An OTLP collector that keeps every span, and the bytes that it came in."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Takes an export."""
                assert self.path == "/v1/traces"
                collector.received.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Listens no more."""
        self._server.shutdown()
        self._server.server_close()

    def spans(self, name: str) -> list[Any]:
        """The spans of a name, each with the service it came from."""
        exports = [ExportTraceServiceRequest.FromString(data) for data in self.received]
        return [
            (next(a.value.string_value for a in of.resource.attributes if a.key == "service.name"), span)
            for export in exports
            for of in export.resource_spans
            for scope in of.scope_spans
            for span in scope.spans
            if span.name == name
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of one test."""
    collector = Collector()
    yield collector
    collector.close()


def attributes(span: Any) -> dict[str, Any]:
    """What a span says, as plain values."""
    values = {a.key: a.value for a in span.attributes}
    return {key: getattr(value, value.WhichOneof("value")) for key, value in values.items()}


def test_a_reading_is_followed_from_post_to_flush(stack: Stack, collector: Collector) -> None:
    """The request linked to its caller's span, the commit linked to the request, the flush; and not a word of the reading or the token."""
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50", "RATE_LIMIT_ROOM_PER_SECOND": "0"}
    ingest, broadcast = stack.ingest(None, **settings), stack.broadcast(None, **settings)
    writer, token = stack.token("ingest", subject="canary-sender"), stack.token("dashboard", subject="canary-viewer")
    headers = (*JSON, authorization(writer), ("traceparent", f"00-{TRACE}-{CALLER}-01"))
    with Dashboard(broadcast.url, token) as client:
        client.next_of("SYNC")
        assert post(ingest, ONE, headers, body_of(ONE, room_id=CANARY, tokens_count=987654321)).status == 200
        client.next_of("TELEMETRY_UPDATE")
    assert post(ingest, ONE, headers, b"{canary-room").status == 400
    assert exchange(ingest.port, request("BREW", ONE, ())).status == 400
    wait_until(lambda: len(collector.spans(f"POST {ONE}")) == 2 and collector.spans("relay flush"), "the spans")
    [(service, good), (_, bad)] = collector.spans(f"POST {ONE}")
    assert (service, good.parent_span_id.hex()) == ("studio-pulse-ingest", "")
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in good.links] == [(TRACE, CALLER)]
    assert good.trace_id.hex() != TRACE
    assert attributes(good) == {"http.request.method": "POST", "http.route": ONE, "http.response.status_code": 200}
    assert attributes(bad)["http.response.status_code"] == 400
    [(_, commit)] = collector.spans("commit batch")
    assert [link.span_id for link in commit.links] == [good.span_id]
    assert attributes(commit) == {"db.system.name": "redis", "pulse.shard": 0, "pulse.readings": 1}
    assert {service for service, _ in collector.spans("relay flush")} == {"studio-pulse-broadcast"}
    assert not any(word in data for data in collector.received for word in (b"canary", b"987654321", writer[-20:].encode()))


@pytest.mark.parametrize(
    "parent", ["", "00-" + "0" * 32 + f"-{CALLER}-01", f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-00", "nonsense"]
)
def test_a_client_does_not_choose_what_is_sampled(stack: Stack, collector: Collector, parent: str) -> None:
    """With the sampler that docs/operations.md recommends and a share of nothing, no `traceparent` gets a span out."""
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    ingest = stack.ingest(None, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="50", **sampler)
    headers = (*JSON, authorization(stack.token("ingest")), *([("traceparent", parent)] if parent else []))
    assert post(ingest, ONE, headers, body_of(ONE, room_id="sampled")).status == 200
    ingest.stop()
    assert collector.received == []


def test_a_batch_is_one_span_of_its_size(stack: Stack, collector: Collector) -> None:
    """For any number of readings in a request; unsent spans are sent when the service stops."""
    ingest = stack.ingest(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url + "/", OTEL_BSP_SCHEDULE_DELAY="60000", OTEL_SERVICE_NAME="desk")
    body = ",".join(body_of(ONE, room_id=f"traced-{number}").decode() for number in range(30))
    assert post(ingest, BATCH, (*JSON, authorization(stack.token("ingest"))), f"[{body}]".encode()).status == 200
    assert collector.received == []
    ingest.stop()
    [(service, commit)] = collector.spans("commit batch")
    assert (service, attributes(commit)["pulse.readings"]) == ("desk", 30)
    assert len(collector.spans(f"POST {BATCH}")) == 1


def test_a_collector_that_is_away_holds_up_nothing(stack: Stack) -> None:
    """Readings are accepted, and the service stops in time."""
    ingest = stack.ingest(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_BSP_SCHEDULE_DELAY="50")
    headers = (*JSON, authorization(stack.token("ingest")))
    started = time.monotonic()
    for number in range(10):
        assert post(ingest, ONE, headers, body_of(ONE, room_id="away", tokens_count=number)).status == 200
    assert time.monotonic() - started < 5
    started = time.monotonic()
    ingest.stop()
    assert time.monotonic() - started < 8


WITHOUT = "import runpy, sys; sys.modules['opentelemetry'] = None; runpy.run_module(sys.argv.pop(), run_name='__main__')"


@pytest.mark.parametrize("module", ["ingest_service", "broadcast_service"])
def test_asking_for_traces_without_the_extra_stops_the_start(stack: Stack, module: str) -> None:
    """And says what to install."""
    environment = stack.environment(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, module], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, "requirements-otel.txt" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_without_an_endpoint_nothing_is_imported() -> None:
    """Tracing that is off costs neither time nor memory, installed or not."""
    code = (
        "import sys, ingest_service.__main__, broadcast_service.__main__\n"
        "from shared.web.tracing import open_spans\n"
        "print(open_spans('ingest', ''), sys.modules.keys() & {'opentelemetry.sdk.trace', 'opentelemetry.exporter', 'requests'})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.strip() == "None set()"
