"""A disk for the archive of one process that is nearly full, and on which room is made later.

Where the tests may mount, it is a tmpfs in a namespace of the process, so that writes fail as on any full disk (ENOSPC) and nothing is left
behind. Elsewhere the size of the process' files is limited (RLIMIT_FSIZE): writes beyond it fail too, and the limit can be lifted.
"""

import functools
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
from typing import Final

SIZE: Final = 24_000_000
MOUNT: Final = 'mount -t tmpfs -o size="$2" none "$1" && head -c "$3" /dev/zero >"$1"/ballast && shift 3 && exec "$@"'
LIMIT: Final = 'ulimit -S -f "$1" && shift && exec "$@"'
BLOCK: Final = 512  # bytes, in which POSIX shells count file sizes


def _namespace() -> list[str]:
    return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--"]


@functools.cache
def can_mount() -> bool:
    """Whether a process of this user may have a file system of its own."""
    with tempfile.TemporaryDirectory() as directory:
        command = [*_namespace(), "sh", "-c", MOUNT, "sh", directory, str(SIZE), "1", "true"]
        try:
            return subprocess.run(command, capture_output=True, check=False, timeout=100).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


class SmallDisk:
    """A directory in which the process that `prefix` starts can write so many bytes at first."""

    def __init__(self, directory: pathlib.Path, free_bytes: int) -> None:
        directory.mkdir()
        self.directory = directory
        self.is_mounted = can_mount()
        self._free_bytes = free_bytes

    def prefix(self) -> list[str]:
        """The beginning of the command line of the process."""
        if self.is_mounted:
            return [*_namespace(), "sh", "-c", MOUNT, "sh", str(self.directory), str(SIZE), str(SIZE - self._free_bytes)]
        return ["sh", "-c", LIMIT, "sh", str(self._free_bytes // BLOCK)]

    def seen_from_here(self, pid: int) -> pathlib.Path:
        """The directory as the tests reach it while the process runs."""
        return pathlib.Path(f"/proc/{pid}/root{self.directory}") if self.is_mounted else self.directory

    def copy(self, pid: int, names: list[str], to: pathlib.Path) -> None:
        """Copies those of some files that exist: SQLite resolves the link to the process' root by its name, and finds another directory."""
        for path in (self.seen_from_here(pid) / name for name in names):
            if path.exists():
                shutil.copy(path, to / path.name)

    def fill(self, pid: int, free_bytes: int) -> None:
        """Leaves so many bytes free; for a disk that is mounted, and can be seen."""
        seen = self.seen_from_here(pid)
        found = os.statvfs(seen)
        with (seen / "ballast").open("ab") as ballast:
            ballast.write(bytes(found.f_bavail * found.f_frsize - free_bytes))

    def make_room(self, pid: int) -> None:
        """Lets the process write on."""
        if self.is_mounted:
            (self.seen_from_here(pid) / "ballast").unlink()
        else:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
