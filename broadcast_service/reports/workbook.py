"""Writes a report as an XLSX workbook, in parts: numbers and moments are typed, names are text, and memory does not grow with the rows.

A workbook is a ZIP archive of XML documents. Its sheets are written row by row into a compressed stream, from which `take` removes what has
been produced so far.
"""

import datetime as dt
import io
import itertools
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from broadcast_service.reports.files import HEADS, Line, lines_of
from broadcast_service.reports.tally import Tally
from shared.contract.feeds import Series

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROWS_PER_PART: Final = 250
MAX_ROWS: Final = 1_048_576  # of a sheet, its head included
COMPRESSION: Final = 1  # the highest makes a tenth smaller files in three times the time
EPOCH: Final = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheets count local days from it
ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # in XML
REPLACEMENT: Final = "\ufffd"
TEXT, MOMENT, INTEGER, ONE_PLACE, TWO_PLACES, HEAD = range(1, 7)  # the cell formats of STYLES
WIDTHS: Final = (17, 22, 14, 22, 11, 15, 13, 20, 17, 19, 18, 18)
SHEETS: Final = {"es": ("Ingresos", "Informe"), "en": ("Income", "Report")}
FACTS: Final = {"es": ("Desde", "Hasta (sin incluir)", "Zona horaria"), "en": ("From", "To (not included)", "Time zone")}

XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
# `quotePrefix` keeps a text that begins with "=" a text when a person edits the cell.
STYLES: Final = (
    f'{XML}<styleSheet xmlns="{MAIN}">'
    '<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm"/><numFmt numFmtId="165" formatCode="#,##0.0"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="7">'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1" applyNumberFormat="1"/>'
    + "".join(f'<xf numFmtId="{number}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>' for number in (164, 3, 165, 4))
    + '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


KIND: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
FIRST: Final = {  # a document without a type of its own is a sheet, so the types can be written before the sheets are known
    "[Content_Types].xml": f'{XML}<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Default Extension="xml" ContentType="{KIND}.worksheet+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{KIND}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{KIND}.styles+xml"/></Types>',
    "_rels/.rels": f'{XML}<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/styles.xml": STYLES,
}


class _Stream(io.RawIOBase):
    """Collects the bytes that are written to it, until they are taken; it cannot seek, so the archive writes its sizes behind the data."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        """Always, as `zipfile` wants to know."""
        return True

    def write(self, data: object) -> int:
        """Keeps the bytes; returns their number."""
        view = memoryview(data)  # type: ignore[arg-type]  # as every writer of bytes
        self._held += view
        return view.nbytes

    def take(self) -> bytes:
        """The bytes written since the last call."""
        taken = bytes(self._held)
        self._held.clear()
        return taken


class _Book:
    """An archive that is being written. Sheets come first, the documents that name them last."""

    def __init__(self) -> None:
        self._stream = _Stream()
        self._archive = zipfile.ZipFile(self._stream, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION)
        self._sheets: list[str] = []
        for name, text in FIRST.items():
            self._archive.writestr(zipfile.ZipInfo(name), text)

    def sheet(self, name: str, head: Sequence[str], widths: Sequence[int], parts: Iterable[str]) -> Iterator[bytes]:
        """Writes a sheet with a head that stays in view; yields the bytes of each part."""
        self._sheets.append(name)
        columns = "".join(f'<col min="{at}" max="{at}" width="{width}" customWidth="1"/>' for at, width in enumerate(widths, 1))
        pane = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        with self._archive.open(_deflated(f"xl/worksheets/sheet{len(self._sheets)}.xml"), "w") as file:
            file.write(
                f'{XML}<worksheet xmlns="{MAIN}"><sheetViews><sheetView workbookViewId="0">{pane}</sheetView></sheetViews>'
                f"<cols>{columns}</cols><sheetData>{_row(_text(words, HEAD) for words in head)}".encode()
            )
            for part in parts:
                file.write(part.encode())
                yield self._stream.take()
            file.write(b"</sheetData></worksheet>")

    def finish(self) -> bytes:
        """Writes the documents that name the sheets, and ends the archive."""
        sheets = list(enumerate(self._sheets, 1))
        documents = {
            "xl/workbook.xml": f'{XML}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
            + "".join(f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="rId{n}"/>' for n, name in sheets)
            + "</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": f'{XML}<Relationships xmlns="{PACKAGE}/relationships">'
            + "".join(f'<Relationship Id="rId{n}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n, _ in sheets)
            + f'<Relationship Id="rId0" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
        }
        for name, text in documents.items():
            self._archive.writestr(zipfile.ZipInfo(name), text)
        self._archive.close()
        return self._stream.take()


def workbook(tally: Tally, zone: dt.tzinfo, language: str, *, max_rows: int = MAX_ROWS) -> Iterator[bytes]:
    """The lines of a report that `local_csv` has, as typed cells in the zone's time, and a sheet that says what the report is about.

    More rows than a sheet may have continue on another one. An empty part means lines that were skipped.
    """

    def moment(seconds: int) -> str:
        """The serial number of a Unix second in the zone's time."""
        return repr(_serial(seconds, zone))

    def row(series: Series, found: Line, start: str) -> str:
        """The cells of a line."""
        return _income_row(series, found, start, zone)

    book, (income, about) = _Book(), SHEETS[language]
    rows = _Rows(lines_of(tally, moment, row, with_idle=True))
    for number in itertools.count(1):
        name = income if number == 1 else f"{income} {number}"
        yield from book.sheet(name, HEADS[language], WIDTHS, rows.up_to(max_rows - 1))
        if rows.at_end:
            break
    yield from book.sheet(about, (about, "Studio Pulse"), (20, 22), ["".join(_facts(tally, zone, language))])
    yield book.finish()


class _Rows:
    """Rows of all sheets, in parts; of each part at least a look at so many lines was taken."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines: Iterator[str] = lines
        self.at_end = False

    def up_to(self, number: int) -> Iterator[str]:
        """The next parts, of so many rows together at most."""
        left = number
        while left:
            looked = list(itertools.islice(self._lines, min(left, ROWS_PER_PART)))
            if not looked:
                self.at_end = True
                return
            left -= sum(map(bool, looked))
            yield "".join(looked)
        following = next(filter(None, self._lines), "")
        self._lines = itertools.chain((following,), self._lines)
        self.at_end = not following


def _income_row(series: Series, found: Line, start: str, zone: dt.tzinfo) -> str:
    odd, rate = found.odd, found.tokens_per_hour
    firsts = (None if ms is None else repr(_serial(ms // 1000, zone)) for ms in (odd.first_unsettled_ms, odd.first_set_aside_ms))
    return _row(
        (
            _number(start, MOMENT),
            *(_text(name, TEXT) for name in series),
            _number(found.earned, INTEGER),
            _number(None if rate is None else round(rate, 1), ONE_PLACE),
            _number(None if found.on_air_seconds is None else round(found.on_air_seconds / 3600, 2), TWO_PLACES),
            *(_number(value, INTEGER) for value in found.counts),
            *(_number(first, MOMENT) for first in firsts),
        )
    )


def _facts(tally: Tally, zone: dt.tzinfo, language: str) -> Iterator[str]:
    """The rows of the sheet about the report."""
    start, end, zone_words = FACTS[language]
    yield _row((_text(start, HEAD), _number(repr(_serial(tally.steps.start, zone)), MOMENT)))
    yield _row((_text(end, HEAD), _number(repr(_serial(tally.steps.end, zone)), MOMENT)))
    yield _row((_text(zone_words, HEAD), _text(str(zone), TEXT)))


def _deflated(name: str) -> zipfile.ZipInfo:
    """The entry of a compressed document; without a date, so that equal reports are equal files."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _serial(seconds: int, zone: dt.tzinfo) -> float:
    """A moment as a spreadsheet counts it: local days since the end of 1899."""
    local = dt.datetime.fromtimestamp(seconds, zone).replace(tzinfo=None)
    return round((local - EPOCH) / dt.timedelta(days=1), 9)


def _row(cells: Iterable[str]) -> str:
    return f"<row>{''.join(cells)}</row>"


def _text(words: str, style: int) -> str:
    if not words:
        return "<c/>"
    return f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{escape(ILLEGAL.sub(REPLACEMENT, words))}</t></is></c>'


def _number(value: float | str | None, style: int) -> str:
    """An unknown value is an empty cell."""
    return "<c/>" if value is None else f'<c s="{style}"><v>{value}</v></c>'
