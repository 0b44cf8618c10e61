"""`python -m worker_service`: runs the worker service from the environment's settings; with arguments, one of its commands."""

import sys

from shared.settings import SettingsError
from shared.store.redis import Store
from shared.web.server import Server, config, run
from shared.web.startup import prepare
from worker_service.app import create_app
from worker_service.settings import WorkerSettings

try:
    from worker_service.commands import run_command
    from worker_service.registry import create_jobs
except ModuleNotFoundError as error:
    if str(error.name).partition(".")[0] not in {"sqlalchemy", "alembic"}:
        raise
    print(f"worker_service needs the package {error.name}: install requirements-worker.txt", file=sys.stderr)
    raise SystemExit(2) from None

SHUTDOWN_SECONDS = 3


def main() -> int:
    """Serves until SIGTERM or SIGINT, or carries out a command; returns the exit status."""
    if sys.argv[1:]:
        return run_command(sys.argv[1:])
    settings, metrics, spans = prepare("worker", WorkerSettings)
    store = Store(settings.redis_url)
    try:
        jobs = create_jobs(settings, store)
    except SettingsError as error:
        print("worker_service cannot start:", *error.problems, sep="\n  ", file=sys.stderr)
        return 2
    app = create_app(store, jobs, lambda: server.crash(), spans)
    server = Server(
        config(
            app,
            host=settings.worker_host,
            port=settings.worker_port,
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ),
        metrics,
    )
    return run(server)


if __name__ == "__main__":
    raise SystemExit(main())
