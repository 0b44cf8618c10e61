"""Reads the bytes of a studio file. It may lie on a disk that does not answer, so callers do it in a thread."""

import os
import pathlib
import stat

from shared.studio.faults import Fault, StudioError
from shared.studio.parse import MAX_BYTES


def read_file(path: str) -> bytes:
    """The content, up to a byte more than `MAX_BYTES`; raises StudioError for what cannot be read."""
    name = pathlib.Path(path).name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe without a writer would wait
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "the path is not one"
        raise StudioError([Fault(name, "no_path", {"reason": reason.lower()})]) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StudioError([Fault(name, "no_file")])
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        content = b""
        try:
            while len(content) <= MAX_BYTES and (part := file.read(MAX_BYTES + 1 - len(content))):
                content += part
        except OSError as error:
            raise StudioError([Fault(name, "unreadable", {"reason": (error.strerror or "an error").lower()})]) from None
        return content
