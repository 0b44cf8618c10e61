"""docs/adding-a-metric.md is true: its changes, applied to a copy of the repository, are all that a metric needs."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tools.processes import ROOT

DOCUMENT = ROOT / "docs" / "adding-a-metric.md"
MAX_FILES = 9
CHANGES = re.compile(r"`([\w./]+\.(?:py|js|md))`[^`]*?(?:`layout`[^`]*)?:\n\n```diff\n(.*?)```", re.DOTALL)
GENERATED = "docs/asyncapi.json"
COPIED = ("shared", "ingest_service", "broadcast_service", "tools", "tests", "docs", "pyproject.toml", "CHANGELOG.md", "deploy", "Makefile")
TESTS = (
    "tests/unit/shared/test_metrics.py",
    "tests/unit/shared/test_messages.py",
    "tests/unit/shared/test_history_record.py",
    "tests/unit/shared/test_keys.py",
    "tests/unit/ingest/test_commit_script.py",
    "tests/unit/broadcast/test_thinning.py",
    "tests/unit/broadcast/test_account_scan.py",
    "tests/contract/test_order.py",
    "tests/e2e/test_asyncapi.py::test_the_document_is_what_the_message_types_say",
)
# Posts a reading with the new metric, without it, and in the layout before; prints what the store and history make of it.
STORY = """
import asyncio, json
from shared.contract.codec import encode
from shared.contract.events import telemetry_event
from shared.contract.history_record import LAYOUTS, slot_of
from shared.contract.readings import METRICS, decode_stored
from tests.contract.committing import commit, empty_store, history_key, latest, record_of
from tests.support.readings import make_reading

async def story():
    async with empty_store("") as redis:
        reading = make_reading(followers_count=7, tokens_count=100)
        [(result, _)] = await commit(redis, reading)
        stored = await latest(redis)
        record = await record_of(redis, reading)
        older = LAYOUTS[-1]
        kept = slot_of(reading, 60).record[: older.record_bytes]
        return {
            "result": result.name, "event": json.loads(encode(telemetry_event(stored).data))["followers"],
            "history": dict(zip([metric.name for metric in METRICS], record.values)),
            "key": history_key(reading).split(":")[2], "size": len(await redis.get(history_key(reading))),
            "older": [layout.number for layout in LAYOUTS[1:]], "before": next(older.unpack(kept)).values,
            "old value": decode_stored(encode(stored).replace(b'"followers_count":7,', b"")).followers_count,
        }

print(json.dumps(asyncio.run(story())))
"""


def changes() -> dict[str, str]:
    """What the document adds to each file."""
    return dict(CHANGES.findall(DOCUMENT.read_text()))


def apply(change: str, path: pathlib.Path) -> None:
    """Inserts the lines that a change adds after the one line that it names."""
    [context] = [line[1:] for line in change.splitlines() if line.startswith(" ")]
    added = [line[1:] for line in change.splitlines() if line.startswith("+")]
    lines = path.read_text().splitlines()
    assert lines.count(context) >= 1, f"{path} has no line {context!r}"
    place = lines.index(context) + 1
    path.write_text("\n".join([*lines[:place], *added, *lines[place:]]) + "\n")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """A copy of the repository with the document's changes, whose modules are not those of this process."""
    root = tmp_path_factory.mktemp("followers")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("*.pyc.*", "images"))  # with the compiled files
        else:
            shutil.copy(source, root / name)
    for name, change in changes().items():
        apply(change, root / name)
    (root / GENERATED).write_text(run(root, "-m", "broadcast_service.http.asyncapi"))
    yield root
    shutil.rmtree(root)


def run(root: pathlib.Path, *arguments: str) -> str:
    """The output of Python in a copy."""
    environment = {
        **os.environ,
        "HYPOTHESIS_PROFILE": "few",  # outside of the copy, the same tests run with many examples
        "HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis"),  # else it would parse every module of the copy for its constants
    }
    done = subprocess.run([sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_a_metric_touches_few_files() -> None:
    """Those that the document names, and the generated one."""
    assert len(changes()) + 1 == DOCUMENT.read_text().count("```diff") + 1 <= MAX_FILES
    assert {"shared/contract/readings.py", "broadcast_service/dashboard/state/metrics.js"} <= set(changes())


def test_the_new_metric_is_stored_sent_and_kept_in_a_layout_of_its_own(copy: pathlib.Path) -> None:
    """And the records of the layout before are read, without it."""
    result = json.loads(run(copy, "-c", STORY))
    assert (result["result"], result["event"], result["key"], result["size"]) == ("ACCEPTED", 7, "3", 60 * 32)
    assert result["history"] == {"tokens": 100, "tips": None, "viewers": None, "goal": None, "followers": 7}
    assert (result["older"], result["before"], result["old value"]) == ([2], [100, None, None, None, None], None)


@pytest.mark.timeout(300)
def test_the_tests_of_the_contract_pass_with_the_new_metric(copy: pathlib.Path) -> None:
    """None of them knows the number of metrics."""
    chosen = [test for test in TESTS if (copy / test.partition("::")[0]).exists()]
    assert chosen == list(TESTS)
    options = ["-q", "-x", "-p", "no:cacheprovider", "-k", "not valkey and not redis7 and not url", "-n", "0"]
    assert " passed" in run(copy, "-m", "pytest", *options, *chosen)
