"""In which line of a TOML file a key is. `tomllib` reports lines of syntax errors only. Pure.

A statement of TOML (a header, or a key with its value) begins a line and is a document by itself. So each one is parsed alone, which gives
its keys with all rules of TOML for quotes, dots and values over several lines.
"""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

Path = tuple[str | int, ...]  # keys, and indexes in arrays of tables

MAX_STATEMENT_LINES: Final = 200  # a longer one ends the search: each line of it is another attempt to parse it


def key_lines(text: str) -> Mapping[Path, int]:
    """The line, from 1, of each key and of each header in a text that `tomllib` has parsed."""
    lines: dict[Path, int] = {}
    arrays: dict[Path, int] = {}
    table: Path = ()
    for line, source, statement in _statements(text):
        if source.lstrip().startswith("["):
            table = _resolved(_header(statement), arrays)
            if source.lstrip().startswith("[["):
                arrays[table] = arrays.get(table, -1) + 1
                table = (*table, arrays[table])
            _record(lines, table, line)
        else:
            _record_values(lines, table, statement, line)
    return lines


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The line of a key, or of the nearest table around it; 1 where neither is known."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _statements(text: str) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Each statement with its first line and its text."""
    rows = text.split("\n")
    first = 0
    while first < len(rows):
        for last in range(first + 1, min(first + MAX_STATEMENT_LINES, len(rows)) + 1):
            source = "\n".join(rows[first:last])
            try:
                parsed = tomllib.loads(source)
            except ValueError:
                continue
            if parsed:
                yield first + 1, source, parsed
            break
        else:
            return
        first = last


def _header(statement: Mapping[str, Any]) -> list[str]:
    """The names in a header, which is parsed as tables within each other around an empty one."""
    names: list[str] = []
    while statement:
        name, value = next(iter(statement.items()))
        statement = value[0] if isinstance(value, list) else value
        names.append(name)
    return names


def _resolved(names: list[str], arrays: Mapping[Path, int]) -> Path:
    """The path of a header; a name of an array on the way is its last table."""
    path: Path = ()
    for number, name in enumerate(names):
        path = (*path, name)
        if path in arrays and number < len(names) - 1:
            path = (*path, arrays[path])
    return path


def _record(lines: dict[Path, int], path: Path, line: int) -> None:
    for length in range(1, len(path) + 1):
        lines.setdefault(path[:length], line)
    lines[path] = line


def _record_values(lines: dict[Path, int], table: Path, values: Mapping[str, Any], line: int) -> None:
    """A key with dots, or a value with keys of its own, gives several paths."""
    for name, value in values.items():
        lines.setdefault((*table, name), line)
        if isinstance(value, dict):
            _record_values(lines, (*table, name), value, line)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                if isinstance(item, dict):
                    _record_values(lines, (*table, name, number), item, line)
