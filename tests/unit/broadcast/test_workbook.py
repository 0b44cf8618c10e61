"""Reports as XLSX workbooks."""

import datetime as dt
import zoneinfo
from array import array
from typing import Any

from broadcast_service.reports.files import HEADS
from broadcast_service.reports.findings import Findings
from broadcast_service.reports.report import Detail
from broadcast_service.reports.tally import Tally
from broadcast_service.reports.workbook import ROWS_PER_PART, workbook
from shared.contract.feeds import Feed
from shared.income.rules import Entry, Kind
from shared.income.steps import Steps
from tests.support.spreadsheets import read_workbook

START = 1_764_000_000  # 2025-11-24 16:00 UTC, 11:00 in Bogotá
BOGOTA = zoneinfo.ZoneInfo("America/Bogota")


def tally_of(rooms: dict[str, list[int]], account: str = "12e4") -> Tally:
    """Rooms with these tokens in each hour, on air for half of it; the first hour of each has a reading that is unsettled."""
    hours = max(map(len, rooms.values()), default=1)
    tally = Tally(Steps(START, START + 3600 * hours, 3600), range(hours), Detail.XLSX)
    for room, earned in rooms.items():
        findings = Findings(range(hours))
        findings.earned = array("Q", [*earned, *[0] * (hours - len(earned))])
        findings.read = array("I", [30] * hours)
        findings.add(0, Entry(Kind.UNSETTLED, 1000 * (START + 90), 75, room, 0))
        tally.add(Feed(room, "camsoda"), {account: findings})
    return tally


def written(*args: Any, **options: Any) -> bytes:
    """A whole file."""
    return b"".join(workbook(*args, **options))


def test_numbers_and_local_moments_are_typed_cells_under_headings_of_the_language() -> None:
    for language, names in (("es", ["Ingresos", "Informe"]), ("en", ["Income", "Report"])):
        sheets = read_workbook(written(tally_of({"vip 1": [2234]}), BOGOTA, language))
        assert list(sheets) == names
        head, row = sheets[names[0]]
        assert tuple(head) == HEADS[language]
        at = dt.datetime(2025, 11, 24, 11, 0)  # noqa: DTZ001 - as a spreadsheet shows it
        assert row == [at, "vip 1", "camsoda", "12e4", 2234, 4468, 0.5, 0, 75, 0, at + dt.timedelta(seconds=90), None]
        assert [line[1] for line in sheets[names[1]][1:]] == [at, at + dt.timedelta(hours=1), "America/Bogota"]


def test_no_name_becomes_a_formula_or_breaks_the_document() -> None:
    """A name is a text cell, however it begins; it is neither changed nor left out."""
    names = ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "<b>&amp;", 'a"b', "tab\tin", "12e4", " kept "]
    body = written(tally_of({name: [len(names) - at] for at, name in enumerate(names)}, account="=HYPERLINK(A1)"), dt.UTC, "en")
    rows = read_workbook(body)["Income"][1:]
    assert [row[1] for row in rows] == names
    assert {row[3] for row in rows} == {"=HYPERLINK(A1)"}
    assert read_workbook(written(tally_of({"nul\x00": [1]}), dt.UTC, "en"))["Income"][1][1] == "nul\ufffd"


def test_a_sheet_that_is_full_continues_on_another_one() -> None:
    earned = list(range(1, 12))
    sheets = read_workbook(written(tally_of({"a": earned}), dt.UTC, "es", max_rows=5))
    assert list(sheets) == ["Ingresos", "Ingresos 2", "Ingresos 3", "Informe"]
    assert all(rows[0] == list(HEADS["es"]) for name, rows in sheets.items() if name != "Informe")
    assert [row[4] for name in list(sheets)[:3] for row in sheets[name][1:]] == earned
    assert list(read_workbook(written(tally_of({"a": [1, 2, 3, 4]}), dt.UTC, "es", max_rows=5))) == ["Ingresos", "Informe"]


def test_a_file_is_written_in_parts_that_do_not_grow_with_it() -> None:
    """Each part has a bounded number of rows, so that other work runs between them and none is held."""
    sizes = {}
    for rooms in (100, 400):
        parts = list(workbook(tally_of({f"room-{n}": [n * at % 977 for at in range(24)] for n in range(rooms)}), BOGOTA, "es"))
        sizes[rooms] = max(map(len, parts))
        assert len(parts) >= rooms * 24 / ROWS_PER_PART
    assert sizes[400] < 1.5 * sizes[100] < 100_000


def test_an_empty_report_is_a_workbook_with_headings() -> None:
    assert read_workbook(written(tally_of({}), dt.UTC, "es"))["Ingresos"] == [list(HEADS["es"])]


def test_equal_reports_are_equal_files() -> None:
    one, other = (written(tally_of({"a": [1, 2, 3]}), BOGOTA, "es") for _ in range(2))
    assert one == other
