"""The first minute: `make run` installs what running needs, and every reason why it cannot start is one sentence that says what to do."""

import ast
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

import pytest

from tests.support import warm_services
from tools.install import CannotInstall, check_python, faster, probed
from tools.processes import ROOT, free_port

INSTALL = ROOT / "tools" / "install.py"
PORTS = (
    "INGEST_PORT",
    "BROADCAST_PORT",
    "DEMO_PORT",
    "WORKER_PORT",
    "INGEST_METRICS_PORT",
    "BROADCAST_METRICS_PORT",
    "WORKER_METRICS_PORT",
)
# Imports what `make run` runs, in a process in which packages that `make run` does not install cannot be imported.
IMPORT_WITHOUT_OTHERS = """
import importlib.metadata, pathlib, re, sys
tidy = lambda name: re.sub("[-_.]+", "-", name).lower()
locked = {tidy(name) for name in re.findall("(?m)^([A-Za-z0-9._-]+)==", pathlib.Path("requirements-run.txt").read_text())}
found = importlib.metadata.packages_distributions()
class Refuse:
    def find_spec(self, name, path=None, target=None):
        owners = {tidy(owner) for owner in found.get(name.partition(".")[0], ())}
        if owners and not owners & locked:
            raise ImportError(f"{name} is not installed by make run")
sys.meta_path.insert(0, Refuse())
import tools.local, tools.demo, tools.simulator.poster, ingest_service.__main__, broadcast_service.__main__, shared.tokens.__main__
import worker_service.__main__, tools.simulator.archived_past
"""
NO_VENV = f"""
import runpy, sys
sys.modules["ensurepip"] = None
sys.argv[1:] = ["there", "lock"]
runpy.run_path({str(INSTALL)!r}, run_name="__main__")
"""


def run(*command: str, cwd: pathlib.Path = ROOT, settings: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command that ends within a minute; a `make` gets none of the variables that the one of the tests was given."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKEOVERRIDES", "PYTHON")}
    environment = {**inherited, **(settings or {})}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_running_needs_no_more_than_make_run_installs() -> None:
    """Not a package of the tests is imported."""
    done = run(sys.executable, "-c", IMPORT_WITHOUT_OTHERS)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 9), (3, 10, 12)])
def test_an_old_python_is_named_with_the_one_that_is_needed(version: tuple[int, ...]) -> None:
    """With the variable that chooses another; and the installer can be read by a Python as old as that."""
    with pytest.raises(CannotInstall, match=rf"is Python {version[0]}\.{version[1]}; .* 3\.11 or later: .*make run PYTHON="):
        check_python(version, "/usr/bin/python3")
    check_python((3, 11, 0), "python3")
    ast.parse(INSTALL.read_text(), feature_version=(3, 7))


def test_a_python_without_its_venv_module_is_said_in_one_sentence(tmp_path: pathlib.Path) -> None:
    """Debian packs it apart; nothing is left behind that would look like an installation."""
    done = run(sys.executable, "-c", NO_VENV, cwd=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(
        r"make: This Python comes without its venv module: install it \(.*apt install python3\.\d+-venv'\)\.\n", done.stderr
    )
    assert list(tmp_path.iterdir()) == []


def python(directory: pathlib.Path, says: str) -> str:
    """A `python3` that prints this and its path when asked for its speed, and otherwise its arguments; returns its path."""
    directory.mkdir()
    program = directory / "python3"
    program.write_text(f'#!/bin/sh\nif [ "$1" = -I ]; then {says} "$0"; else echo "$@"; fi\n')
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        ([], None),
        (["echo 3 11 1 0.0095"], None),
        (["echo 3 11 1 0.005"], ("0", 2.0)),
        (["echo 3 11 1 0.005", "echo 3 11 1 0.004", "echo 3 11 1 0.007"], ("1", 2.5)),
        (["echo 3 12 1 0.001", "echo 3 10 1 0.001", "echo 3 11 0 0.001", "echo 2.7", "exit 1", "kill $$"], None),
    ],
    ids=["none", "hardly", "clearly", "the fastest", "other versions, or unable"],
)
def test_a_clearly_faster_python_of_the_same_version_is_found(
    tmp_path: pathlib.Path, others: list[str], chosen: tuple[str, float] | None
) -> None:
    """One of another version could not have the locked packages; one without its venv module, or that does not run, is passed over."""
    first = python(tmp_path / "first", "echo 3 11 1 0.010")
    paths = [pathlib.Path(python(tmp_path / str(number), says)).parent for number, says in enumerate(others)]
    found = faster(first, os.pathsep.join(["", str(tmp_path / "first"), str(tmp_path / "nothing"), *map(str, paths)]))
    expected = chosen and (str(tmp_path / chosen[0] / "python3"), chosen[1])
    assert (found and (found[0], round(found[1], 3))) == expected


def test_this_python_can_be_asked_how_fast_it_is() -> None:
    """The loop takes a few milliseconds."""
    version, seconds, file = probed(sys.executable) or ((0, 0), 0, "")
    assert version == sys.version_info[:2]
    assert 0.0001 < seconds < 1
    assert file == os.path.realpath(sys.executable)


def test_another_name_of_the_same_python_is_no_other(tmp_path: pathlib.Path) -> None:
    """As the script that a version manager puts before it, however fast it was when it was asked."""
    first = python(tmp_path / "first", "echo 3 11 1 0.010")
    shim = python(tmp_path / "shim", f"echo 3 11 1 0.005 {first} #")
    assert faster(first, str(pathlib.Path(shim).parent)) is None


def test_one_slow_moment_decides_nothing(tmp_path: pathlib.Path) -> None:
    """The machine is slow while the faster Python is first asked."""
    first = python(tmp_path / "first", "echo 3 11 1 0.012")
    asked = tmp_path / "asked"
    other = python(tmp_path / "other", f'if [ -e {asked} ]; then s=0.010; else s=0.030; touch {asked}; fi; echo 3 11 1 "$s"')
    found = faster(first, str(pathlib.Path(other).parent))
    assert found is not None
    assert (found[0], round(found[1], 3)) == (other, 1.2)


def test_make_chooses_the_faster_python_unless_one_is_named(tmp_path: pathlib.Path, clone: pathlib.Path) -> None:
    """And says which, and how to choose; an environment that is there stays."""
    path = {"PATH": f"{pathlib.Path(python(tmp_path / 'fast', f'echo {sys.version_info[0]} {sys.version_info[1]} 1 0.00001')).parent}:/bin"}
    installing = [sys.executable, "tools/install.py", "--choose", ".venv", "requirements-run.txt"]
    done = run(*installing, cwd=clone, settings=path)
    assert re.fullmatch(
        rf"Using {tmp_path}/fast/python3, which is \d+\.\d times as fast as \S+; PYTHON=… chooses another\.\n"
        r"\S*tools/install\.py \.venv requirements-run\.txt\n",
        done.stdout,
    )
    assert "--choose" in run("make", "--dry-run", "run", cwd=clone).stdout
    assert "--choose" not in run("make", "--dry-run", "run", f"PYTHON={sys.executable}", cwd=clone).stdout
    assert "--choose" not in run("make", "--dry-run", "run", cwd=clone, settings={"PYTHON": sys.executable}).stdout
    (clone / ".venv").mkdir()
    (pathlib.Path(python(clone / ".venv" / "bin", "true")).rename(clone / ".venv" / "bin" / "python").parent / "pip").touch()
    done = run(*installing, cwd=clone, settings=path)
    assert (done.returncode, "Using" in done.stdout) == (0, False)


@pytest.fixture
def clone(tmp_path: pathlib.Path) -> pathlib.Path:
    """A checkout in which nothing has been installed."""
    for name in ("Makefile", "requirements-run.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    return tmp_path


def test_a_python_that_is_not_there_is_said_in_one_sentence(clone: pathlib.Path) -> None:
    """With the version to install."""
    done = run("make", "run", "PYTHON=python3.99", cwd=clone)
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == "make: python3.99 was not found: install Python 3.11 or later, or name yours with PYTHON=…."


def test_a_failed_download_is_named_and_the_next_run_tries_again(clone: pathlib.Path) -> None:
    """pip's own last lines come first; no stamp says that everything is installed."""
    (clone / "requirements-run.txt").write_text(f"no-package-of-ours==1.0 --hash=sha256:{'0' * 64}\n")
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "pip").touch()
    (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python").chmod(0o755)
    nowhere = {"PIP_INDEX_URL": f"http://127.0.0.1:{free_port()}/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    for _ in range(2):
        done = run("make", "run", f"PYTHON={sys.executable}", cwd=clone, settings=nowhere)
        assert done.returncode != 0
        assert "no-package-of-ours" in done.stderr
        assert (
            "make: pip could not install requirements-run.txt: read its lines above, check the network, and run make again." in done.stderr
        )
        assert not (clone / ".venv" / "installed-run").exists()


def test_an_environment_without_bytecode_does_not_slow_every_process_down() -> None:
    """Container images forbid Python to write it; each process of the tests would then compile everything that it imports."""
    done = run(
        "make",
        "--no-print-directory",
        "--eval=shown: ; @echo [$$PYTHONDONTWRITEBYTECODE]",
        "shown",
        settings={"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stdout == "[]\n"


def local(**settings: str) -> subprocess.CompletedProcess[str]:
    """Starts what `make run` starts, on free ports where none is given; it is expected to end by itself."""
    free = {name: str(free_port()) for name in PORTS}
    given = {name: value for name, value in os.environ.items() if not name.startswith(warm_services.READ_BY_INTERPRETER)}
    done = warm_services.run([sys.executable, "-m", "tools.local"], {**given, **free, "ROOMS": "0", **settings})
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("name", PORTS)
def test_a_taken_port_is_named_with_the_setting_that_chooses_another(name: str) -> None:
    """In one sentence, before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = local(**{name: str(port)})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"make run: port {port} is taken; choose another with {name}=…\n"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"INGEST_PORT": "70000"}, "INGEST_PORT should be a port, from 1 to 65535"),
        ({"BROADCAST_PORT": "0"}, "BROADCAST_PORT should be a port, from 1 to 65535"),
        ({"DEMO_PORT": "http"}, "DEMO_PORT should be a whole number"),
        (
            {"INGEST_PORT": "18123", "BROADCAST_PORT": "18123"},
            "INGEST_PORT and BROADCAST_PORT are both 18123; choose another with BROADCAST_PORT=…",
        ),
    ],
)
def test_a_port_that_cannot_be_one_is_named(settings: dict[str, str], words: str) -> None:
    """Out of range, no number, or given twice."""
    done = local(**settings)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"make run: {words}\n")
