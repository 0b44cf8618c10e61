"""`python3 tools/install.py .venv requirements-run.txt`: creates a virtual environment and installs a lock file into it.

Every reason why that fails is one sentence that says what to do. The file has to be readable to old Pythons, which are one of the reasons.
"""

import importlib.util
import pathlib
import re
import subprocess
import sys
import time

OLDEST = (3, 11)
LAST_LINES = 12


class CannotInstall(Exception):
    """The sentence that says why, and what to do."""


def check_python(version: "tuple[int, ...]", executable: str) -> None:
    """Raises CannotInstall where the Python is too old or cannot create virtual environments."""
    if version[:2] < OLDEST:
        raise CannotInstall(
            "{} is Python {}.{}; Studio Pulse needs {}.{} or later: install one and name it, as in 'make run PYTHON=python3.12'.".format(
                executable, *version[:2], *OLDEST
            )
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise CannotInstall(
            "This Python comes without its venv module: install it (on Debian and Ubuntu: 'sudo apt install python{}.{}-venv').".format(
                *version[:2]
            )
        )


def create(directory: pathlib.Path) -> None:
    """Creates the virtual environment, unless it is there."""
    if (directory / "bin" / "pip").exists():
        return
    done = subprocess.run([sys.executable, "-m", "venv", str(directory)], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["python -m venv failed"]
        raise CannotInstall(f"{directory} could not be created ({said[-1]}): free the disk or choose another Python with PYTHON=….")


def install(directory: pathlib.Path, lock: pathlib.Path) -> None:
    """Installs what the lock file names, and shows how many packages are collected. The lock is complete, so nothing is resolved."""
    total = len(re.findall(r"^[A-Za-z0-9]", lock.read_text(), re.MULTILINE))
    command = [str(directory / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    command += ["--no-deps", "--no-compile", "--require-hashes", "-r", str(lock)]
    lines, seen = [], 0  # type: list[str], int
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            lines.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied: ")):
                seen += 1
                show(f"  packages: {seen} of {total}")
            elif line.startswith("Installing collected"):
                show(f"  packages: {total} of {total}, unpacking")
    if sys.stdout.isatty():
        print()
    if process.returncode:
        print("".join(lines[-LAST_LINES:]), end="", file=sys.stderr)
        raise CannotInstall(f"pip could not install {lock}: read its lines above, check the network, and run make again.")


def show(words: str) -> None:
    """On a terminal the line is written again and again."""
    if sys.stdout.isatty():
        print(f"\r{words}    ", end="", flush=True)


def main(directory: str, lock: str) -> int:
    """Installs; returns the exit status."""
    started = time.monotonic()
    try:
        check_python(tuple(sys.version_info[:3]), sys.executable)
        print(f"Installing {lock} into {directory}, once …", flush=True)
        create(pathlib.Path(directory))
        install(pathlib.Path(directory), pathlib.Path(lock))
    except CannotInstall as reason:
        print(f"make: {reason}", file=sys.stderr)
        return 1
    print(f"Installed in {time.monotonic() - started:.0f} s.", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
