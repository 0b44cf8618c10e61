"""`python -m worker_service backup FILE`, `restore FILE` and `import DATABASE_URL`; the file `-` is standard output or input."""

import argparse
import contextlib
import functools
import os
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import BinaryIO

from shared.archive.database import ArchiveError, Database
from shared.store.database_url import DatabaseUrl
from worker_service.archive.backup import Restored, back_up, restore
from worker_service.archive.backup_file import UnreadableBackup
from worker_service.command import Command, CommandError
from worker_service.settings import DatabaseSettings


def _backup(given: argparse.Namespace, settings: DatabaseSettings) -> None:
    with opened(settings.database_url, read_only=True) as database:
        if given.file == "-":
            if sys.stdout.isatty():
                raise CommandError("a backup is no text: name a file, or redirect the output to one")
            count = back_up(database, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with replaced(pathlib.Path(given.file)) as file:
                count = back_up(database, file)
    print(f"Backed up {count} rows.", file=sys.stderr)


@contextlib.contextmanager
def replaced(path: pathlib.Path) -> Iterator[BinaryIO]:
    """A file for its owner that gets its name when it is complete, so that an older one is never replaced by a part."""
    draft = path.with_name(f"{path.name}.part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _restore(given: argparse.Namespace, settings: DatabaseSettings) -> None:
    with opened(settings.database_url) as database, _repeatable(given.file) as source:
        _report(restore(database, source))


def _import(given: argparse.Namespace, settings: DatabaseSettings) -> None:
    """Merges another archive, through a temporary backup (TMPDIR), so that everything of it was read before anything is written."""
    try:
        url = DatabaseUrl.parse(given.source)
    except ValueError as error:
        raise CommandError(f"the archive to import should be a DATABASE_URL: {error}") from None
    if url.text == settings.database_url.text:
        raise CommandError("the archive to import is the one of DATABASE_URL itself")
    with tempfile.NamedTemporaryFile(prefix="pulse-import-") as copy:
        with opened(url, read_only=True) as other:
            back_up(other, copy.file)
        copy.flush()
        with opened(settings.database_url) as database:
            _report(restore(database, functools.partial(_open, copy.name)))


def _report(restored: Restored) -> None:
    """Prints what a restore did; raises CommandError where days could not be read."""
    how = "merged with what the archive had" if restored.was_merged else "into an empty archive"
    print(f"Restored {restored.days} days of feeds, {how}.", file=sys.stderr)
    if restored.unreadable:
        raise CommandError(f"{restored.unreadable} days of feeds are damaged, in the file or in the archive, and were left as they are")


@contextlib.contextmanager
def _repeatable(name: str) -> Iterator[Callable[[], BinaryIO]]:
    """A file that can be opened more than once; standard input is copied to a temporary one (TMPDIR)."""
    if name != "-":
        yield functools.partial(_open, name)
        return
    with tempfile.NamedTemporaryFile(prefix="pulse-restore-") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield functools.partial(_open, copy.name)


def _open(name: str) -> BinaryIO:
    return pathlib.Path(name).open("rb")


@contextlib.contextmanager
def opened(url: DatabaseUrl, *, read_only: bool = False) -> Iterator[Database]:
    """The archive for one command; what goes wrong with it or with a file becomes a CommandError."""
    try:
        database = Database(url, read_only=read_only)
    except ModuleNotFoundError as error:
        raise CommandError(f"DATABASE_URL needs the package {error.name}: install requirements-worker.txt") from None
    try:
        yield database
    except (ArchiveError, UnreadableBackup) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"{error.filename or 'the file'}: {error.strerror or error}") from None
    finally:
        database.close()


COMMANDS = [
    Command(
        "backup",
        "Write the whole archive to a file, while the worker goes on; it restores into SQLite and PostgreSQL alike",
        lambda parser: parser.add_argument("file", help="the file to write, - for standard output"),
        _backup,
    ),
    Command(
        "restore",
        "Restore a backup; an archive that has history already is merged with it",
        lambda parser: parser.add_argument("file", help="the file to read, - for standard input"),
        _restore,
    ),
    Command(
        "import",
        "Merge another archive into this one; a repeated import changes nothing",
        lambda parser: parser.add_argument("source", metavar="DATABASE_URL", help="the other archive, which is only read"),
        _import,
    ),
]
