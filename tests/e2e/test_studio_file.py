"""The studio file of a running broadcast service: refused at the start, taken over on change, kept where the new one is wrong."""

import json
import os
import pathlib
import sys
import urllib.error
import urllib.request

import pytest

from tests.support import warm_services
from tests.support.studio import Studio, running_studio
from tools.processes import Service
from tools.stack import Stack
from tools.waiting import wait_until

ROOM_FILE = 'timezone = "America/Bogota"\n[room.blue]\nname = "Azul"\n[room.red]\nname = "Roja"\n[target]\n"room:red" = 77777\n'
PATH = "/api/studio"


def names(studio: Studio) -> list[str]:
    """The names of all rooms by now."""
    status, view = studio.get(PATH)
    assert status == 200, view
    return [room["name"] for room in view["rooms"]]


def gauge(service: Service) -> str:
    """What the metric of the studio file says."""
    with urllib.request.urlopen(service.metrics_url, timeout=60) as response:
        text: str = response.read().decode()
    return next(line.split()[1] for line in text.splitlines() if line.startswith("pulse_studio_file_ok "))


def test_a_changed_file_is_used_and_a_wrong_one_is_reported_while_the_old_one_stays(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "studio.toml"
    file.write_text(ROOM_FILE)
    with running_studio(tmp_path / "stack", STUDIO_FILE=str(file)) as studio:
        assert names(studio) == ["Azul", "Roja"]

        file.write_text(ROOM_FILE.replace("Azul", "Celeste"))  # in place
        wait_until(lambda: names(studio) == ["Celeste", "Roja"], "the file in place is used", seconds=30)

        other = tmp_path / "next.toml"
        other.write_text(ROOM_FILE.replace("Azul", "Marina"))
        old = file.stat()
        os.utime(other, ns=(old.st_atime_ns, old.st_mtime_ns))
        other.rename(file)  # replaced by a rename, with the time stamp of the old one
        wait_until(lambda: names(studio) == ["Marina", "Roja"], "the renamed file is used", seconds=30)

        file.write_text('timezone = "America/Bogota"\n[room.blue]\nnane = "Azul"\n')
        wait_until(lambda: studio.get(PATH)[1]["problems"], "the wrong file is reported", seconds=30)
        assert [line for line in studio.get(PATH)[1]["problems"] if line.startswith("studio.toml:3: room.blue.nane is not a key")]
        assert (names(studio), gauge(studio.broadcast)) == (["Marina", "Roja"], "0.0")
        refused = [json.loads(line) for line in studio.broadcast.log.read_text().splitlines() if "studio.refused" in line]
        assert len(refused) == 1
        assert "studio.toml:3" in refused[0]["problems"][1]
        assert studio.get(PATH, rooms=("blue",))[1]["problems"] == []  # they may quote names of other rooms

        file.unlink()
        wait_until(lambda: "no such file" in studio.get(PATH)[1]["problems"][0], "the missing file is reported", seconds=30)
        assert names(studio) == ["Marina", "Roja"]

        file.write_text(ROOM_FILE)
        wait_until(lambda: names(studio) == ["Azul", "Roja"], "the mended file is used", seconds=30)
        assert (studio.get(PATH)[1]["problems"], gauge(studio.broadcast)) == ([], "1.0")


def test_a_token_sees_the_names_and_targets_of_its_own_rooms_only_and_asks_again_by_tag(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "studio.toml"
    accounts = '[account."camsoda:ana"]\nname = "Ana"\n[account."camsoda:eva"]\nname = "Eva"\n'
    file.write_text(ROOM_FILE + accounts)
    with running_studio(tmp_path / "stack", STUDIO_FILE=str(file)) as studio:
        studio.post(
            {"room_id": "blue", "platform": "camsoda", "account": "ana"},
            {"room_id": "red", "platform": "camsoda", "account": "eva"},
        )
        wait_until(lambda: studio.get(PATH, rooms=("blue",))[1]["accounts"], "the reading is relayed", seconds=30)
        _, view = studio.get(PATH, rooms=("blue",))
        assert [room["name"] for room in view["rooms"]] == ["Azul"]
        assert [account["name"] for account in view["accounts"]] == ["Ana"]
        assert [word for word in ("Roja", "77777", "Eva", '"red"') if word in json.dumps(view)] == []
        assert studio.get(PATH, rooms=("blue",), platforms=("chaturbate",))[1]["accounts"] == []

        token = studio.token()

        def ask(**headers: str) -> tuple[int, str]:
            asked = urllib.request.Request(studio.broadcast.url + PATH, headers={"Authorization": f"Bearer {token}", **headers})
            try:
                with urllib.request.urlopen(asked, timeout=60) as response:
                    return response.status, response.headers["ETag"]
            except urllib.error.HTTPError as error:
                return error.code, error.headers["ETag"]

        status, tag = ask()
        assert status == 200
        assert ask(**{"If-None-Match": tag}) == (304, tag)
        file.write_text(ROOM_FILE)
        wait_until(lambda: ask(**{"If-None-Match": tag})[0] == 200, "the tag changes with the file", seconds=30)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'timezone = "America/Bogota"\n[target]\ndefault = -1\n', "studio.toml:3: target.default should be a whole number of tokens"),
        (b"#" * 2**20, "larger than 512 KiB"),
        (b"\xff\xfe", "studio.toml:1: the file is not UTF-8"),
        (None, "cannot be read (no such file or directory); STUDIO_FILE should be the path"),
    ],
    ids=["a negative target", "a megabyte", "not UTF-8", "no file"],
)
def test_a_wrong_file_refuses_the_start(stack: Stack, tmp_path: pathlib.Path, content: bytes | None, expected: str) -> None:
    file = tmp_path / "studio.toml"
    if content is not None:
        file.write_bytes(content)
    environment = stack.environment(BROADCAST_PORT="0", METRICS_PORT="0", STUDIO_FILE=str(file))
    done = warm_services.run([sys.executable, "-m", "broadcast_service"], environment)
    said = done.stderr.decode()
    assert done.returncode == 2
    assert expected in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 2


def test_without_a_file_nothing_is_known_but_the_periods(studio: Studio) -> None:
    _, view = studio.get(PATH)
    assert (view["configured"], view["shifts"], view["rooms"]) == (False, [], [])
    assert set(view["periods"]) == {"yesterday", "today", "week", "half_month", "month"}
