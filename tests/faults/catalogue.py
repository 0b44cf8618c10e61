"""The faults that the suite must contain, by number, and the table of observations of each in a run.

A test records its actions and observations under the fault's number, and test-results/faults.md is the table of all that. `python -m
tests.faults.catalogue` puts it into docs/reliability.md, and with it the samples of the last soak.
"""

import fcntl
from typing import Final

from tools.processes import ROOT

FAULTS: Final = range(1, 48)  # the numbers of docs/reliability.md
PAGE: Final = ROOT / "docs" / "reliability.md"
NOTES: Final = ROOT / "test-results" / "faults.tsv"
LOCK: Final = NOTES.with_suffix(".lock")
TABLE: Final = NOTES.with_suffix(".md")
SAMPLES: Final = NOTES.with_name("soak.tsv")
SAMPLES_SHOWN: Final = 8
HEAD: Final = "| # | fault | producers and dashboards observed | healed after (s) |\n|---|---|---|---|\n"


def record(number: int, done: str, seen: str, healed_seconds: float | None) -> None:
    """Writes a row; one of an earlier run about the same is replaced."""
    assert number in FAULTS
    NOTES.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:  # of all processes that run tests side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        _write(number, done, seen, healed_seconds)


def _write(number: int, done: str, seen: str, healed_seconds: float | None) -> None:
    rows = {_key(line): line for line in (NOTES.read_text().splitlines() if NOTES.exists() else ())}
    line = "\t".join((str(number), done, seen, "\N{EN DASH}" if healed_seconds is None else f"{healed_seconds:.1f}"))
    rows[_key(line)] = line
    lines = [rows[key] for key in sorted(rows, key=lambda key: int(key[0]))]
    NOTES.write_text("".join(f"{line}\n" for line in lines))
    TABLE.write_text(HEAD + "".join("| " + line.replace("\t", " | ") + " |\n" for line in lines))


def after(seconds: float) -> str:
    """How long something took, in words."""
    return "at once" if seconds < 0.05 else f"after {seconds:.1f} s"


def _key(line: str) -> tuple[str, str]:
    number, done, *_ = line.split("\t")
    return number, done


def main() -> None:
    """Writes the latest measurements into the page, between its markers."""
    text = PAGE.read_text()
    for name, table in (("run", TABLE.read_text() if TABLE.exists() else ""), ("soak", _samples())):
        start = text.index(f"<!-- {name} -->\n") + len(f"<!-- {name} -->\n")
        if table:
            text = text[:start] + table + text[text.index("<!-- end -->", start) :]
    PAGE.write_text(text)


def _samples() -> str:
    """A few of the samples, as a table; empty if the soak was too short for one."""
    head, *lines = SAMPLES.read_text().splitlines() if SAMPLES.exists() else [""]
    if len(lines) < SAMPLES_SHOWN:
        return ""
    step = len(lines) / SAMPLES_SHOWN
    rows = [head.split("\t"), ["---"] * len(head.split("\t"))]
    rows += [lines[round((number + 1) * step) - 1].split("\t") for number in range(SAMPLES_SHOWN)]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


if __name__ == "__main__":
    main()
