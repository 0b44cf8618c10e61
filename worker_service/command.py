"""What a command line of the worker service is."""

import argparse
from collections.abc import Callable
from typing import NamedTuple

from worker_service.settings import DatabaseSettings


class CommandError(Exception):
    """A command cannot be carried out; the text says why and what to do."""


class Command(NamedTuple):
    """A command of the service: name, help, arguments, and body, which may raise CommandError."""

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], object]
    run: Callable[[argparse.Namespace, DatabaseSettings], None]
