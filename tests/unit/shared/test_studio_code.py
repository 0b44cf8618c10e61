"""The studio's code: one line with address, room and key, and the plain id of a room that people write with accents."""

import base64
import json
import subprocess
from collections.abc import Iterator

import pytest
import structlog

from shared.auth.studio_code import PREFIX, StudioCodeError, account_key, room_id, studio_code
from shared.tokens.__main__ import main
from tests.support import needs
from tools.processes import ROOT

NAMES = [
    "Room 12",
    "Habitación 12",
    "Niña",
    "Nin\u0303a",
    "  Sala\u00a03 ",
    "Łódź",
    "Straße 5",
    "Ærø",
    "Комната 5",
    "部屋",
    "Sala/3",
    "Salón №2",
    "x" * 70,
    "ñ" * 64,
    "Sala 3 💋",
    "a  b",
    "ÀÉÎÕÜ-ç_ÿ.",
]


def read(code: str) -> dict[str, str]:
    """The fields of a code."""
    encoded = code.removeprefix(PREFIX)
    return json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Habitación 12", "Habitacion 12"),
        ("Niña", "Nina"),
        ("Nin\u0303a", "Nina"),
        (" Sala\u00a03 ", "Sala 3"),
        ("Room 12", "Room 12"),
        ("Łódź", "Lodz"),
    ],
)
def test_accents_are_dropped(name: str, plain: str) -> None:
    assert room_id(name) == plain


def test_names_without_plain_letters_stay_apart() -> None:
    ids = [room_id(name) for name in ("Комната 5", "Квартира 5", "部屋", "客房", "Sala 3 💋", "Sala 3")]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", ["", "  ", "\n", "a\x00b"])
def test_a_room_needs_a_name(name: str) -> None:
    with pytest.raises(StudioCodeError):
        room_id(name)


def test_the_extension_derives_the_same_ids() -> None:
    """Two implementations, one rule."""
    script = (
        "import { roomIdOf } from './extension/worker/rooms.js'; console.log(JSON.stringify(JSON.parse(process.argv[1]).map(roomIdOf)));"
    )
    run = [needs.node(), "--input-type=module", "-e", script, json.dumps(NAMES)]
    answer = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert json.loads(answer) == [room_id(name) for name in NAMES]


def test_a_code_holds_address_room_and_key() -> None:
    code = studio_code(address="https://pulse.example.com/", name="Habitación 12", token="a.b.c", mark_key="m")
    assert read(code) == {"a": "https://pulse.example.com", "r": "Habitacion 12", "k": "a.b.c", "m": "m", "n": "Habitación 12"}
    assert "n" not in read(studio_code(address="http://127.0.0.1:8001", name="Room 1", token="a.b.c", mark_key="m"))


def test_the_extension_reads_the_code() -> None:
    code = studio_code(address="https://pulse.example.com", name="Habitación 12", token="a.b.c", mark_key="m")
    script = (
        "import { readStudioCode } from './extension/worker/studio-code.js'; console.log(JSON.stringify(readStudioCode(process.argv[1])));"
    )
    run = [needs.node(), "--input-type=module", "-e", script, f"make room\n  {code}\n"]
    answer = json.loads(subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    expected = {"endpoint": "https://pulse.example.com", "roomId": "Habitacion 12", "roomName": "Habitación 12", "token": "a.b.c"}
    assert answer == {**expected, "accountKey": "m"}


@pytest.mark.parametrize(
    "address", ["", "pulse.example.com", "http://pulse.example.com", "https://", "https://x/?a", "https://u@x", "ftp://x"]
)
def test_an_address_to_which_no_desk_would_send_is_refused(address: str) -> None:
    with pytest.raises(StudioCodeError):
        studio_code(address=address, name="a", token="a.b.c", mark_key="m")


def test_the_secret_of_marks_does_not_give_away_the_secret_of_tokens() -> None:
    secret = b"x" * 32
    assert account_key(secret) == account_key(secret)
    assert secret.hex() not in account_key(secret)
    assert len(account_key(secret)) == 64


KEYS = "2026:" + "s" * 32
with_own_logging = pytest.mark.usefixtures("_own_logging")


@pytest.fixture
def _own_logging() -> Iterator[None]:
    """Restores logging after a command has configured it for the captured standard output, which is closed after the test."""
    yield
    structlog.reset_defaults()


def claims(token: str) -> dict[str, object]:
    """What a token says."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))  # type: ignore[no-any-return]


@with_own_logging
def test_a_room_gets_its_code_alone_on_stdout(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The key in it opens that room alone, for 90 days; all codes of a studio share the secret of account marks."""
    monkeypatch.setenv("TOKEN_KEYS", KEYS)
    assert main(["room", "--name", "Habitación 12", "--address", "https://pulse.example.com"]) == 0
    assert main(["room", "--name", "Sala 3", "--address", "https://pulse.example.com"]) == 0
    first, second = (read(line) for line in capsys.readouterr().out.splitlines())
    said = claims(first["k"])
    assert (said["rooms"], said["aud"]) == (["Habitacion 12"], "ingest")
    assert int(str(said["exp"])) - int(str(said["iat"])) == 90 * 86400
    assert (first["r"], first["n"], second["r"]) == ("Habitacion 12", "Habitación 12", "Sala 3")
    assert first["m"] == second["m"]
    monkeypatch.setenv("ACCOUNT_KEY", "ours")
    main(["room", "--name", "Sala 3", "--address", "https://pulse.example.com"])
    assert read(capsys.readouterr().out.strip())["m"] == "ours"


@with_own_logging
@pytest.mark.parametrize(("audience", "seconds"), [("ingest", 90 * 86400), ("dashboard", 8 * 3600)])
def test_a_desks_key_outlives_a_shift(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], audience: str, seconds: int
) -> None:
    """A key for sending lives for 90 days unless something else is asked for, one for watching for 8 hours."""
    monkeypatch.setenv("TOKEN_KEYS", KEYS)
    assert main(["issue", "--audience", audience, "--subject", "a", "--rooms", "a"]) == 0
    assert main(["issue", "--audience", audience, "--subject", "a", "--rooms", "a", "--ttl", "2h"]) == 0
    said = [claims(line) for line in capsys.readouterr().out.splitlines()]
    assert [int(str(each["exp"])) - int(str(each["iat"])) for each in said] == [seconds, 7200]


@with_own_logging
@pytest.mark.parametrize("arguments", [["--name", " ", "--address", "https://x.example"], ["--name", "a", "--address", "http://x.example"]])
def test_what_no_desk_could_use_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.setenv("TOKEN_KEYS", KEYS)
    assert main(["room", *arguments]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "room:" in printed.err
