"""The commit script: what Python writes into its text, and that both sides name its arguments alike."""

import pathlib
import re

from ingest_service.commit_script import CONSTANTS, SCRIPT, FixedArguments, ReadingArguments, Result, fixed_arguments, reading_arguments
from ingest_service.limits import Limits
from shared.contract.history_record import LAYOUT
from shared.contract.readings import Reading

SOURCE = (pathlib.Path(__file__).parents[3] / "ingest_service" / "telemetry.lua").read_text()
READING = Reading("room", "platform", 1_764_000_000, 1, 1_764_000_000_000)


def unpacked(last: str) -> list[str]:
    """The names that the script gives to the arguments up to an expression."""
    found = re.search(r"local ([a-z_, \n]+) = unpack\(ARGV, \w+, " + re.escape(last), SOURCE)
    assert found
    return found[1].replace("\n", " ").replace(" ", "").split(",")


def test_the_script_names_its_arguments_as_python_does() -> None:
    """In the same order, so that no argument is taken for another."""
    assert unpacked("FIRST - 2") == list(FixedArguments._fields)
    assert unpacked("i + STRIDE - 1") == list(ReadingArguments._fields)
    fixed = fixed_arguments(0, "PUBLISH", Limits(1, 1), ttl_seconds=1, retention_days=1, step_seconds=60)
    assert (len(fixed), len(reading_arguments(READING, 60))) == (int(CONSTANTS["FIRST"]) - 2, CONSTANTS["STRIDE"])


def test_the_script_has_no_number_of_the_record_of_its_own() -> None:
    """Each constant that it uses is written into it, and each that is written into it is used."""
    assert SCRIPT.count("--@constants") == 0
    values = [repr(value) for value in CONSTANTS.values()]
    assert f"= {', '.join(values)}\n" in SCRIPT
    code = re.sub(r"--.*", "", SOURCE)
    assert [name for name in CONSTANTS if not re.search(rf"\b{name}\b", code)] == []
    own = set(re.findall(r"local (?:function )?([A-Z_]+)", code))
    assert set(re.findall(r"\b[A-Z]{2,}[A-Z_]*\b", re.sub(r"'[^'\n]*'", "", code))) == {"KEYS", "ARGV", *CONSTANTS, *own}
    assert not re.search(r"\b(16|20|28|60 \*|1680)\b", code)


def test_results_have_the_numbers_that_the_script_documents() -> None:
    """Outcomes of stored readings come first: a result greater than `LATE` was not stored."""
    assert [result.value for result in Result] == list(range(1, 9))
    assert Result.ACCEPTED < Result.DUPLICATE < Result.LATE < Result.ROOM_LIMITED


def test_the_errors_of_the_script_name_the_lines_of_its_file() -> None:
    """The constants are on one line."""
    assert SCRIPT.count("\n") == SOURCE.count("\n")
    assert LAYOUT.chunk_bytes == CONSTANTS["CHUNK_BYTES"]
