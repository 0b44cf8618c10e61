"""`python -m ingest_service`: runs the ingest service from the environment's settings."""

import functools

from ingest_service.app import create_service
from ingest_service.settings import IngestSettings
from shared.store.redis import Store
from shared.web.address_budget import AddressBudget
from shared.web.server import Server, config, run
from shared.web.startup import prepare
from shared.web.whole_requests import WholeRequestProtocol

SHUTDOWN_SECONDS = 5


def main() -> int:
    """Serves until SIGTERM or SIGINT; returns the exit status."""
    settings, metrics, spans = prepare("ingest", IngestSettings)
    app, shortcuts = create_service(settings, Store(settings.redis_url), lambda: server.crash(), spans)
    server = Server(
        config(
            app,
            host=settings.ingest_host,
            port=settings.ingest_port,
            http=functools.partial(
                WholeRequestProtocol,
                shortcuts=shortcuts,
                budget=AddressBudget(settings.address_share, settings.forwarded_allow_ips.values),
            ),
            ws="none",
            proxy_headers=False,  # only the audit log wants the client's address, and looks for it itself
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ),
        metrics,
    )
    return run(server)


if __name__ == "__main__":
    raise SystemExit(main())
