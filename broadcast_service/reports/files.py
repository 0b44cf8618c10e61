"""Writes reports as CSV: one form for programs, one for people who open it in a spreadsheet set to Spanish. Pure.

A line is a series and a step. No field needs quoting: names hold neither commas, semicolons nor quotes.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from broadcast_service.reports.findings import Odd
from broadcast_service.reports.tally import Tally
from shared.contract.feeds import Series
from shared.contract.history_record import DAY_SECONDS

SKIPPED_PER_PART: Final = 500
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
NUMBER_LIKE: Final = re.compile(r"\A[0-9. _-]*[0-9]([eE][0-9]+)?\Z")
BYTE_ORDER_MARK: Final = "\ufeff"  # with it a spreadsheet reads UTF-8
NOTHING_ODD: Final = Odd()

HEADS: Final = {
    "es": (
        "Inicio",
        "Sala",
        "Plataforma",
        "Cuenta",
        "Tokens",
        "Tokens por hora",
        "Horas al aire",
        "Tokens entre sesiones",
        "Tokens sin aclarar",
        "Números descartados",
        "Primera sin aclarar",
        "Primer descarte",
    ),
    "en": (
        "Start",
        "Room",
        "Platform",
        "Account",
        "Tokens",
        "Tokens per hour",
        "Hours on air",
        "Tokens between sessions",
        "Unsettled tokens",
        "Numbers set aside",
        "First unsettled",
        "First set aside",
    ),
}


class Line(NamedTuple):
    """What a series did in a step of a report. A damaged day is unknown: `earned` and `on_air_seconds` are None."""

    step: int
    earned: int | None
    on_air_seconds: int | None
    odd: Odd

    @property
    def tokens_per_hour(self) -> float | None:
        """By the time on air, without income between sessions; None where the series was not on air."""
        if self.earned is None or not self.on_air_seconds:
            return None
        return (self.earned - self.odd.between_sessions) * 3600 / self.on_air_seconds

    @property
    def counts(self) -> tuple[int | None, int | None, int | None]:
        """Tokens between sessions, unsettled tokens and numbers set aside."""
        return (None, None, None) if self.earned is None else (self.odd.between_sessions, self.odd.unsettled, self.odd.set_aside)


def machine_csv(tally: Tally) -> Iterator[str]:
    """Lines with something to report; times are UTC, an unknown value is empty."""
    yield (
        "start,room_id,platform,earned,account,unsettled,set_aside,"
        "on_air_seconds,tokens_per_hour,between_sessions,first_unsettled,first_set_aside\r\n"
    )

    def moment(seconds: int) -> str:
        """Unix seconds in UTC."""
        return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"

    def line(series: Series, found: Line, start: str) -> str:
        """One row of the file; `start` is the step's."""
        room, platform, account = map(_no_formula, series)
        odd, rate = found.odd, found.tokens_per_hour
        between_sessions, unsettled, set_aside = map(_known, found.counts)
        firsts = ",".join("" if ms is None else moment(ms // 1000) for ms in (odd.first_unsettled_ms, odd.first_set_aside_ms))
        return (
            f"{start},{room},{platform},{_known(found.earned)},{account},{unsettled},{set_aside},"
            f"{_known(found.on_air_seconds)},{'' if rate is None else round(rate, 1)},{between_sessions},{firsts}\r\n"
        )

    yield from lines_of(tally, moment, line, with_idle=False)


def local_csv(tally: Tally, zone: dt.tzinfo, language: str) -> Iterator[str]:
    """Lines of all steps on air: local times, semicolons, decimal commas and a byte order mark. The language is of the headings."""
    yield BYTE_ORDER_MARK + ";".join(HEADS[language]) + "\r\n"

    def moment(seconds: int) -> str:
        """Unix seconds in local time."""
        return f"{dt.datetime.fromtimestamp(seconds, zone):%Y-%m-%d %H:%M:%S}"

    def line(series: Series, found: Line, start: str) -> str:
        """One row of the file; `start` is the step's."""
        odd, rate = found.odd, found.tokens_per_hour
        fields = (
            start,
            *map(_as_text, series),
            _known(found.earned),
            "" if rate is None else _decimal(rate, 1),
            "" if found.on_air_seconds is None else _decimal(found.on_air_seconds / 3600, 2),
            *map(_known, found.counts),
            *("" if ms is None else moment(ms // 1000) for ms in (odd.first_unsettled_ms, odd.first_set_aside_ms)),
        )
        return ";".join(fields) + "\r\n"

    yield from lines_of(tally, moment, line, with_idle=True)


def lines_of(tally: Tally, moment: Callable[[int], str], line: Callable[[Series, Line, str], str], *, with_idle: bool) -> Iterator[str]:
    """One line per series and step with something to report, by income of the series; an empty string now and then for skipped ones.

    The last lines are of damaged days, at their beginning.
    """
    starts: dict[int, str] = {}
    for lines in sorted(tally.lines, key=lambda one: (-sum(one.earned), one.series)):
        for step, (earned, read) in enumerate(zip(lines.earned, lines.read, strict=True), tally.window.start):
            odd = lines.odd.get(step)
            if earned or odd or (read and with_idle):
                if step not in starts:
                    starts[step] = moment(tally.steps.begin(step))
                yield line(lines.series, Line(step, earned, read * tally.step_seconds, odd or NOTHING_ODD), starts[step])
            elif step % SKIPPED_PER_PART == 0:
                yield ""
    for day, series in tally.damaged:
        start = max(day * DAY_SECONDS, tally.steps.start)
        yield line(series, Line(tally.steps.step_at(start), None, None, NOTHING_ODD), moment(start))


def _known(value: int | None) -> str:
    """A number; an unknown one is empty."""
    return "" if value is None else str(value)


def _as_text(name: str) -> str:
    """A name that a spreadsheet would take for a number or a date gets an apostrophe too: an account may be 12e4."""
    return "'" + name if name.startswith(FORMULA_STARTS) or NUMBER_LIKE.match(name) else name


def _decimal(value: float, places: int) -> str:
    return f"{value:.{places}f}".replace(".", ",")


def _no_formula(name: str) -> str:
    """A name that starts as a formula does gets an apostrophe, which none can start with: spreadsheets then show it as it is."""
    return "'" + name if name.startswith(FORMULA_STARTS) else name
