"""Reads the Dockerfile: the instructions of a target, including those of the stages it is built from."""

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tools.processes import ROOT

TEXT: Final = (ROOT / "Dockerfile").read_text()


class Instruction(NamedTuple):
    """A keyword and the rest of its line, continuation lines joined."""

    keyword: str
    rest: str


def instructions() -> list[Instruction]:
    """All of the file's, in order."""
    lines = re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in lines if line.strip()]


def stages() -> dict[str, tuple[str, list[Instruction]]]:
    """By name: the base of each stage, and its instructions."""
    found: dict[str, tuple[str, list[Instruction]]] = {}
    for instruction in instructions():
        if instruction.keyword == "FROM":
            image, _, name = instruction.rest.partition(" AS ")
            found[name] = (image, [])
        else:
            found[next(reversed(found))][1].append(instruction)
    return found


def target(name: str) -> list[Instruction]:
    """A stage's instructions after those of the stages below it."""
    image, own = stages()[name]
    return [*(target(image) if image in stages() else []), *own]


def images() -> set[str]:
    """The images that are not made here."""
    return {image for image, _ in stages().values()} - stages().keys()


def only(name: str, keyword: str) -> str:
    """The last instruction of a kind in a target, which is the one that counts."""
    return [instruction.rest for instruction in target(name) if instruction.keyword == keyword][-1]


def command(name: str, keyword: str = "CMD") -> list[str]:
    """A target's command, or that of its health check, in exec form."""
    words: list[str] = json.loads(only(name, keyword).partition("CMD")[2] if keyword == "HEALTHCHECK" else only(name, keyword))
    return words


def environment(name: str) -> dict[str, str]:
    """What a target sets."""
    return dict(pair.split("=", 1) for rest in _rests(name, "ENV") for pair in rest.split())


def copied(name: str) -> Iterator[tuple[str, str]]:
    """Source and destination of what a target copies from the checkout."""
    for rest in _rests(name, "COPY"):
        if not rest.startswith("--from="):
            source, destination = rest.split()
            yield source, destination


def _rests(name: str, keyword: str) -> list[str]:
    return [instruction.rest for instruction in target(name) if instruction.keyword == keyword]
