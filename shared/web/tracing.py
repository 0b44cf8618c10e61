"""OpenTelemetry traces, enabled by OTEL_EXPORTER_OTLP_ENDPOINT; they need the extra `otel`.

A service decides once, at start-up, whether to trace. Without traces nothing of OpenTelemetry is imported, and no call is wrapped. A span
contains the project's names, numbers and error classes, but no reading, room or token. All other settings of the SDK (sampler, headers,
resource attributes) are its standard variables.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.settings import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import SpanContext

EXPORT_SECONDS: Final = 2.0  # for one export; the last one delays the shutdown
MAX_LINKS: Final = 100
MISSING: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set, but the extra `otel` is not installed: "
    "install requirements-otel.txt instead of requirements.txt, or unset the variable"
)


def open_spans(service: str, endpoint: str) -> "Spans | None":
    """The factory of a service's spans, or None without an endpoint; raises SettingsError when the extra is missing."""
    if not endpoint:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - imported only if traces are enabled
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise SettingsError([MISSING]) from None
    named = Resource.create({"service.name": f"studio-pulse-{service}"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=named, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Spans(provider)


class Spans:
    """Creates the spans of one process."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import context, trace  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._provider = provider
        self._tracer = provider.get_tracer("studio-pulse")
        self._trace = trace
        self._root = context.Context()
        self._extract = TraceContextTextMapPropagator().extract

    def request(self, app: ASGIApp, route: str) -> ASGIApp:
        """An application whose requests are spans, linked to the caller's span if it sends a `traceparent`.

        The caller is not authenticated. As a parent it would select the trace and, with the sampled flag, override the sampler.
        """

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            """Runs one request in a span."""
            carried = {
                name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in (b"traceparent", b"tracestate")
            }
            attributes = {"http.request.method": "POST" if scope["method"] == "POST" else "_OTHER", "http.route": route}
            caller = self._trace.get_current_span(self._extract(carried, self._root)).get_span_context()
            links = [self._trace.Link(caller)] if caller.is_valid else []
            with self._span(f"POST {route}", "SERVER", attributes, context=self._root, links=links) as span:

                async def record_status(message: Message) -> None:
                    """Sends a message of the response, and records its status."""
                    if message["type"] == "http.response.start":
                        span.set_attribute("http.response.status_code", message["status"])
                        if message["status"] >= 500:
                            span.set_status(self._trace.StatusCode.ERROR)
                    await send(message)

                await app(scope, receive, record_status)

        return traced

    def current(self) -> "SpanContext":
        """The context that a later span can link to."""
        return self._trace.get_current_span().get_span_context()

    def commit(self, shard: int, readings: int, origins: Sequence[Any]) -> contextlib.AbstractContextManager[Any]:
        """A span of one round trip to Redis, linked to the requests whose readings it carries."""
        links = [self._trace.Link(origin) for origin in origins[:MAX_LINKS]]
        attributes = {"db.system.name": "redis", "pulse.shard": shard, "pulse.readings": readings}
        return self._span("commit batch", "CLIENT", attributes, context=self._root, links=links)

    def flushed(self, waited_seconds: float, spent_seconds: float) -> None:
        """Records the span of a completed flush, from the first pending change."""
        end = time.time_ns()
        attributes = {"pulse.flush.seconds": spent_seconds}
        start = end - int(waited_seconds * 1e9)
        self._tracer.start_span("relay flush", context=self._root, attributes=attributes, start_time=start).end(end)

    @contextlib.contextmanager
    def _span(self, name: str, kind: str, attributes: dict[str, Any], **options: Any) -> Iterator[Any]:
        """A span that records only the class of an exception: its text and its stack can contain request data."""
        with self._tracer.start_as_current_span(
            name, kind=self._trace.SpanKind[kind], attributes=attributes, record_exception=False, set_status_on_exception=False, **options
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(self._trace.StatusCode.ERROR)
                raise

    async def close(self) -> None:
        """Exports the remaining spans, within the export timeout."""
        await asyncio.to_thread(self._provider.shutdown)


@contextlib.asynccontextmanager
async def closing(spans: Spans | None) -> AsyncIterator[None]:
    """Closes the spans, if any, when the block ends."""
    try:
        yield
    finally:
        if spans is not None:
            await spans.close()
