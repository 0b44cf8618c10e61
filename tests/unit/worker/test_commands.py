"""The command lines beside the service: arguments, settings and failures."""

import argparse

import pytest

from worker_service.command import Command, CommandError
from worker_service.commands import run_command
from worker_service.settings import DatabaseSettings


def command(seen: list[tuple[str, str]]) -> Command:
    """A command that notes its argument and its database, and fails for `bad`."""

    def run(given: argparse.Namespace, settings: DatabaseSettings) -> None:
        if given.word == "bad":
            raise CommandError("bad is not possible: choose another word")
        seen.append((given.word, repr(settings.database_url)))

    return Command("try", "Try it", lambda parser: parser.add_argument("word"), run)


def test_a_command_gets_its_arguments_and_its_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:////srv/archive.db")
    seen: list[tuple[str, str]] = []
    assert run_command(["try", "good"], [command(seen)]) == 0
    assert seen == [("good", "sqlite:////srv/archive.db")]


def test_a_failure_is_one_line_that_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["try", "bad"], [command([])]) == 1
    assert capsys.readouterr().err == "try: bad is not possible: choose another word\n"


def test_a_bad_database_url_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://user:canary@host/db")
    assert run_command(["try", "good"], [command([])]) == 2
    said = capsys.readouterr().err
    assert "DATABASE_URL should be sqlite:///path" in said
    assert "canary" not in said


@pytest.mark.parametrize("arguments", [["unknown"], ["try"], ["try", "a", "b"], ["--unknown"]])
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        run_command(arguments, [command([])])
    assert refusal.value.code == 2
    assert "usage: python -m worker_service" in capsys.readouterr().err
