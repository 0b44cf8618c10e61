"""Writes measured tables into the documents, between two comments, so that a repeated run replaces them whole."""

import pathlib


class MarkerError(Exception):
    """A document has not exactly one pair of the comments of a block."""


def replaced(text: str, name: str, block: str) -> str:
    """The document with the block of that name replaced; raises MarkerError if it is not there once."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise MarkerError(f"a document needs {begin} and {end} once, in this order")
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n\n{block.strip()}\n\n{end}{rest.partition(end)[2]}"


def write(path: pathlib.Path, name: str, block: str) -> None:
    """Replaces the block in a file."""
    path.write_text(replaced(path.read_text("utf-8"), name, block), "utf-8")
