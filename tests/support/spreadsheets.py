"""Reads XLSX workbooks as a spreadsheet does: the cells of each sheet with the types that the file gives them."""

import datetime as dt
import io
import zipfile
from xml.etree import ElementTree as ET

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
OFFICE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
EPOCH = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - local days are counted from it
Cell = str | float | dt.datetime | None


def read_workbook(body: bytes) -> dict[str, list[list[Cell]]]:
    """The rows of each sheet by its name. Fails if the archive is damaged, or a cell has a formula."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "[Content_Types].xml"
        targets = {one.get("Id"): one.get("Target") for one in ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))}
        moments = _moment_styles(archive.read("xl/styles.xml"))
        sheets = ET.fromstring(archive.read("xl/workbook.xml")).iter(f"{MAIN}sheet")
        return {
            str(sheet.get("name")): _rows(ET.fromstring(archive.read(f"xl/{targets[sheet.get(f'{OFFICE}id')]}")), moments)
            for sheet in sheets
        }


def _moment_styles(styles: bytes) -> set[str]:
    """The cell formats that show a number as a moment."""
    root = ET.fromstring(styles)
    codes = {one.get("numFmtId"): one.get("formatCode", "") for one in root.iter(f"{MAIN}numFmt")}
    cells = root.find(f"{MAIN}cellXfs")
    assert cells is not None
    return {str(at) for at, cell in enumerate(cells) if "yy" in codes.get(cell.get("numFmtId"), "")}


def _rows(sheet: ET.Element, moments: set[str]) -> list[list[Cell]]:
    assert not list(sheet.iter(f"{MAIN}f"))
    return [[_value(cell, moments) for cell in row] for row in sheet.iter(f"{MAIN}row")]


def _value(cell: ET.Element, moments: set[str]) -> Cell:
    if cell.get("t") == "inlineStr":
        return "".join(cell.itertext())
    number = cell.findtext(f"{MAIN}v")
    if number is None:
        return None
    if cell.get("s") in moments:
        moment = EPOCH + dt.timedelta(days=float(number))
        return (moment + dt.timedelta(milliseconds=500)).replace(microsecond=0)
    return float(number)
