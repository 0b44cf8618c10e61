"""The documents name files, events and numbers that exist, and the documentation site builds from them without outside resources."""

import pathlib
import re
import shutil
import subprocess
import sys
from typing import Final

import pytest

from broadcast_service.http.asyncapi import EVENTS
from tools.processes import ROOT

DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
MAX_WIDTH: Final = 120
SUFFIXES: Final = {".py", ".md", ".yml", ".json", ".js", ".lua"}
PATH: Final = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:yaml|yml|toml|md))(?:::\w+)?`")


def text(name: str) -> str:
    """A document."""
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("name", ["docs/architecture.md", "docs/performance.md", "CONTRIBUTING.md"])
def test_every_named_file_exists(name: str) -> None:
    """A reader who is sent to a file finds it."""
    named = {path for path in PATH.findall(text(name)) if not path.startswith("broadcast_service/relay/*")}
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


SUBJECTS: Final = {
    "Conflation": "class LatestValues",
    "Resume": "def _cursor_for",
    "Rate limits": "local function limiter",
    "Token expiry and renewal on an open socket": "def on_due",
    "History record": "RECORD_BYTES",
    "badge": "export function badgeFor",
    "KPI tile": "export class Kpis",
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_newcomer_finds_the_file_of_a_subject(subject: str) -> None:
    """The first file that the table names is the one that does it."""
    (row,) = re.findall(rf"^\|[^|]*\*\*{subject}\*\*[^|]*\|(.*)\|$", text("docs/architecture.md"), re.MULTILINE)
    assert SUBJECTS[subject] in text(re.findall(r"`([^`]+)`", row)[0])


def test_every_event_is_described() -> None:
    """In the table of events of the protocol, or in the example above it."""
    rows = set(re.findall(r"^\| `([A-Z_]+)` \|", text("docs/protocol.md"), re.MULTILINE)) | {"TELEMETRY_UPDATE"}
    assert rows == {kind.__struct_config__.tag for kind in EVENTS}


def test_decisions_are_numbered_in_order() -> None:
    """Each has an anchor of its number, so that links to it stay right."""
    decisions = re.findall(r'^<a id="d(\d+)"></a>\*\*(\d+)\. 2026-\d\d-\d\d: ', text("docs/decisions.md"), re.MULTILINE)
    assert decisions == [(str(number), str(number)) for number in range(1, len(decisions) + 1)]
    assert len(re.findall(r"\*\*(?:\d+\. )?2026-|^## 2026-", text("docs/decisions.md"), re.MULTILINE)) == len(decisions)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_paragraph_is_repeated(path: pathlib.Path) -> None:
    """A merge that keeps both sides of a changed paragraph leaves it twice."""
    blocks = [" ".join(block.split()) for block in re.split(r"\n\s*\n|\n(?=- )", path.read_text("utf-8"))]
    long = [block for block in blocks if len(block) > MAX_WIDTH]
    assert [block for block in set(long) if long.count(block) > 1] == []


def prose(path: pathlib.Path) -> list[str]:
    """The lines of a document that can be wrapped: no tables, code, headings or images."""
    lines = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL).splitlines()
    return [line for line in lines if not re.match(r"\s*(\||#|!\[|<!--|    \S)", line)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_lines_are_wrapped(path: pathlib.Path) -> None:
    """At 120 characters, so that a change shows as the lines that it changes."""
    assert [line for line in prose(path) if len(line) > MAX_WIDTH] == []


def renamed() -> list[tuple[str, str]]:
    """The metrics and log events of the changelog's table of changed names: each with the one it was."""
    rows = re.findall(r"^\| (?:metric|log event) \| (.+?) \| (.+?) \|$", text("CHANGELOG.md"), re.MULTILINE)
    names = [(re.findall(r"`([a-z_.]+)", old), re.findall(r"`([a-z_.]+)", new)) for old, new in rows]
    return [(before, after) for olds, news in names for before, after in zip(olds, news, strict=False) if before != after]


def test_renamed_metrics_and_log_events_are_gone() -> None:
    """Neither code nor document uses an old name, and every new one is in docs/operations.md."""
    dotted = [(old, new) for old, new in renamed() if re.search(r"[._]", old)]
    assert len(dotted) > 15
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    kept = [
        name for name in listed if name != "CHANGELOG.md" and pathlib.Path(name).suffix in {".py", ".md", ".yml", ".json", ".js", ".lua"}
    ]
    everything = "\n".join((ROOT / name).read_text("utf-8") for name in kept if (ROOT / name).is_file())
    words = set(re.findall(r"[\w.]+", everything))
    assert [old for old, _ in dotted if old in words] == []
    assert [new for _, new in dotted if new not in text("docs/operations.md")] == []


def build(directory: pathlib.Path, site: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Builds the site of a checkout as `make check` does."""
    command = [str(pathlib.Path(sys.executable).with_name("mkdocs")), "build", "--strict", "--site-dir", str(site)]
    return subprocess.run(
        command, cwd=directory, capture_output=True, text=True, check=False, timeout=100, env={"NO_MKDOCS_2_WARNING": "1"}
    )


def checkout(directory: pathlib.Path) -> pathlib.Path:
    """A copy of the documents with the site's configuration."""
    shutil.copytree(ROOT / "docs", directory / "docs")
    for name in ("tools", "mkdocs.yml"):
        (directory / name).symlink_to(ROOT / name)
    return directory


def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: pathlib.Path) -> None:
    """Reading the documentation contacts no third party: no fonts, scripts, styles or images of other hosts."""
    done = build(ROOT, tmp_path / "site")
    assert (done.returncode, re.findall("WARNING.*", done.stderr)) == (0, []), done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert {"index.html", "contributing.html", "security.html", "changelog.html", "architecture.html"} <= {page.name for page in pages}
    loads = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=\"?(https?:)?//[^>]*>")
    assert [found[0] for page in pages for found in loads.finditer(page.read_text("utf-8")) if 'rel="canonical"' not in found[0]] == []
    styles = (tmp_path / "site").rglob("*.css")
    assert [style.name for style in styles if re.search(r"url\([\"']?https?:|@import", style.read_text("utf-8"))] == []


def test_a_broken_link_fails_the_build(tmp_path: pathlib.Path) -> None:
    """A missing page and a missing heading alike; each is named, and nothing else is."""
    directory = checkout(tmp_path)
    with (directory / "docs" / "income.md").open("a") as file:
        file.write("\n[gone](nowhere.md)\n\n[gone](architecture.md#no-such-heading)\n")
    done = build(directory, tmp_path / "site")
    assert done.returncode != 0
    warnings = re.findall("WARNING.*", done.stderr)
    assert len(warnings) == 2
    assert all("income.md" in warning for warning in warnings)
    assert sorted(link for link in ("nowhere.md", "#no-such-heading") for warning in warnings if link in warning) == [
        "#no-such-heading",
        "nowhere.md",
    ]
