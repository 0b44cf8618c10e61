"""The first steps of a service's process, before it creates its application."""

import argparse
import gc
import sys
from collections.abc import Sequence
from typing import Final, NoReturn, TypeVar

import uvicorn

from shared.settings import BackgroundSettings, ServiceSettings, SettingsError, lines_of_help, load
from shared.web.logging import configure
from shared.web.metrics_listener import metrics_config
from shared.web.tracing import Spans, open_spans

# Container objects between two collections; every fifth one looks at those of the others too, so a collection of less than everything
# takes a few milliseconds at most. With Python's 700 a storm of handshakes causes one every few handshakes.
GC_THRESHOLDS: Final = 5000, 5, 20
SWITCH_SECONDS: Final = 0.0005  # that the event loop waits for the interpreter while a thread computes; Python's own is 5 ms

Settings = TypeVar("Settings", bound=ServiceSettings | BackgroundSettings)


def refuse(service: str, problems: list[str]) -> NoReturn:
    """Ends the process of a service that cannot start with status 2, and lists why on standard error."""
    print(f"{service}_service cannot start:", *problems, sep="\n  ", file=sys.stderr)  # noqa: T201 - read by the person who starts it
    raise SystemExit(2)


def read_arguments(service: str, kind: type[Settings], arguments: Sequence[str]) -> None:
    """A service has no arguments but `--help`, which lists its settings; any other ends the process with status 2."""
    argparse.ArgumentParser(
        prog=f"python -m {service}_service",
        description=f"Runs the {service} service until SIGTERM or SIGINT. docs/operations.md describes its settings.",
        epilog=lines_of_help(kind),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    ).parse_args(arguments)


def set_up_interpreter() -> None:
    """Keeps pauses of the event loop short: those of the garbage collector, and those in which a thread has the interpreter."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_SECONDS)


def prepare(service: str, kind: type[Settings]) -> tuple[Settings, uvicorn.Config, Spans | None]:
    """Reads the arguments and settings of a service, opens its traces, configures its logs. `service` is its short name, such as `ingest`.

    Returns the settings, the configuration of the metrics listener, and the factory of spans. Settings that are missing or invalid are
    listed on standard error, and the process exits with status 2.
    """
    read_arguments(service, kind, sys.argv[1:])
    try:
        settings = load(kind)
        metrics = metrics_config(settings.metrics_host, settings.metrics_port)
        spans = open_spans(service, settings.otel_exporter_otlp_endpoint)
    except SettingsError as error:
        refuse(service, error.problems)
    configure(service, level=settings.log_level, log_format=settings.log_format)
    set_up_interpreter()
    return settings, metrics, spans
