"""`python3 tools/install.py [--choose] .venv requirements-run.txt`: creates a virtual environment and installs a lock file into it.

With `--choose` the environment is made with another `python3` of PATH where that is of the same version and clearly faster, as a
distribution's often is beside a version manager's, which is built without optimization.

Every reason why that fails is one sentence that says what to do. The file has to be readable to old Pythons, which are one of the reasons.
"""

import importlib.util
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

OLDEST = (3, 11)
LAST_LINES = 12
# Prints the version, whether environments can be made, the CPU seconds of a loop that is mostly the interpreter's own work, and the file:
# one interpreter may have several names, and a script of a version manager before it.
PROBE = """
import importlib.util, os, sys, time
def work():
    found = {}
    for number in range(20000):
        found[number % 97] = found.get(number % 97, 0) + len(str(number))
def timed():
    began = time.process_time()
    work()
    return time.process_time() - began
able = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
print(*sys.version_info[:2], int(able), min(timed() for _ in range(5)), os.path.realpath(sys.executable))
"""
CLEARLY = 1.1  # times as fast as the first Python
ROUNDS = 5


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


def probed(executable: str) -> "tuple[tuple[int, int], float, str] | None":
    """The version of a Python, its time for a loop in seconds and its file; None if it does not run or cannot make environments."""
    try:
        done = subprocess.run([executable, "-I", "-c", PROBE], capture_output=True, text=True, check=True, timeout=10)
        major, minor, able, seconds, file = done.stdout.split(None, 4)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return ((int(major), int(minor)), float(seconds), file.strip()) if able == "1" else None


def faster(executable: str, path: str) -> "tuple[str, float] | None":
    """Another `python3` in the directories of `path` that is clearly faster and of the same version, and how many times as fast it is.

    They are asked in turn: a machine that is shared may be half as fast a second later.
    """
    own = probed(executable)
    if own is None:
        return None
    others, seen = [], {own[2]}
    for name in (str(pathlib.Path(part, "python3")) for part in path.split(os.pathsep) if part):
        found = probed(name)
        if found is not None and found[0] == own[0] and found[2] not in seen:
            seen.add(found[2])
            others.append(name)
    ratios = {name: [] for name in others}  # type: dict[str, list[float]]
    for _ in range(ROUNDS if others else 0):
        own = probed(executable) or own
        for name in others:
            found = probed(name)
            if found is not None:
                ratios[name].append(own[1] / found[1])
    best = max(((statistics.median(several), name) for name, several in ratios.items() if several), default=(0.0, ""))
    return (best[1], best[0]) if best[0] > CLEARLY else None


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


def main(*arguments: str) -> int:
    """Installs; returns the exit status."""
    directory, lock = arguments[-2:]
    if arguments[0] == "--choose" and not pathlib.Path(directory).exists():
        found = faster(sys.executable, os.environ.get("PATH", ""))
        if found is not None:
            print(f"Using {found[0]}, which is {found[1]:.1f} times as fast as {sys.executable}; PYTHON=… chooses another.", flush=True)
            return subprocess.call([found[0], __file__, directory, lock])
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
