"""How the problems of a studio file spell its keys and values. Pure."""

import json
import re
from typing import Final

from shared.studio.lines import Path

MAX_QUOTED: Final = 40  # characters of a wrong value

_BARE: Final = re.compile(r"\A[A-Za-z0-9_-]+\Z")


def spelled(path: Path) -> str:
    """A key as the file spells it, without the numbers of shifts: the line says which one."""
    names = (name for name in path if isinstance(name, str))
    return ".".join(name if _BARE.match(name) else shortened(json.dumps(name, ensure_ascii=False)) for name in names)


def given(value: object) -> str:
    """A value as it is shown, empty where there is none."""
    return "" if value is None else shown(value)


def shown(value: object) -> str:
    """A value as TOML and JSON spell it, shortened."""
    if isinstance(value, int) and abs(value) >= 10**MAX_QUOTED:
        return "a huge number"
    if isinstance(value, str | bool | int | float):
        return shortened(json.dumps(value, ensure_ascii=False))
    if isinstance(value, dict):
        return "a table"
    return "a list" if isinstance(value, list) else shortened(str(value))


def shortened(text: str) -> str:
    """A text of the file without control characters, cut where it is long."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= MAX_QUOTED else f"{clean[:MAX_QUOTED]}…"
