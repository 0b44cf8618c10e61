"""Only locked packages are installed: each by version and hash, and pip refuses others."""

import base64
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import zipfile

import pytest

from tools.processes import ROOT

LOCKS = [
    "requirements.txt",
    "requirements-otel.txt",
    "requirements-worker.txt",
    "requirements-parquet.txt",
    "requirements-run.txt",
    "requirements-dev.txt",
]
PINNED = re.compile(r"\A[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^ ;]+( ; [^\\]+)?( --hash=sha256:[0-9a-f]{64})+\Z")


def entries(lock: str) -> list[str]:
    """The requirements of a lock file, each on one line."""
    return re.sub(r"\s*\\\n\s*", " ", (ROOT / lock).read_text()).strip().split("\n")


def versions(lock: str) -> dict[str, str]:
    """The packages that it pins."""
    return dict(entry.split(" ")[0].split("==") for entry in entries(lock))


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_pinned_by_hash(lock: str) -> None:
    """One version each, with its hashes, from no particular address."""
    assert [entry for entry in entries(lock) if not PINNED.match(entry)] == []


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_the_locks_agree(lock: str) -> None:
    """Every lock holds the packages of production, in the same versions; the largest holds those that `make run` installs."""
    assert versions("requirements.txt").items() <= versions(lock).items()
    assert versions("requirements-run.txt").items() <= versions("requirements-dev.txt").items()


def test_what_is_required_is_locked() -> None:
    """The lock files were made after the last change of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    wanted = {
        "requirements.txt": project["project"]["dependencies"],
        "requirements-otel.txt": extras["otel"],
        "requirements-worker.txt": extras["worker"],
        "requirements-parquet.txt": extras["worker"] + extras["parquet"],
    }
    groups = project["dependency-groups"]
    wanted["requirements-run.txt"] = groups["run"]
    wanted["requirements-dev.txt"] = (
        [entry for extra in extras.values() for entry in extra]
        + groups["docs"]
        + groups["run"]
        + [entry for entry in groups["dev"] if isinstance(entry, str)]
    )
    for lock, requirements in wanted.items():
        names = {re.split(r"[\[>=;]", requirement)[0] for requirement in requirements}
        assert names - versions(lock).keys() - {entry.split("[")[0] for entry in versions(lock)} == set()


def test_development_packages_of_javascript_are_locked_by_hash() -> None:
    """package-lock.json names a hash for every package, no address, and what package.json asks for."""
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    project = lock.pop("")
    assert [name for name, package in lock.items() if not package.get("integrity") or "resolved" in package] == []
    assert project["devDependencies"] == json.loads((ROOT / "package.json").read_text())["devDependencies"]


def wheel(directory: pathlib.Path) -> str:
    """Builds a package that does nothing; returns its hash."""
    path, info = directory / "pulse_probe-1.0-py3-none-any.whl", "pulse_probe-1.0.dist-info"
    files = {
        "pulse_probe.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: pulse-probe\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{name},sha256={_digest(text)},{len(text)}" for name, text in files.items()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": "\n".join([*record, f"{info}/RECORD,,", ""])}.items():
            archive.writestr(name, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def install(directory: pathlib.Path, requirement: str) -> subprocess.CompletedProcess[str]:
    """Installs as `make install` does, from a directory instead of the network."""
    (directory / "requirements.txt").write_text(requirement + "\n")
    command = [sys.executable, "-m", "pip", "install", "--require-hashes", "--no-index", "--find-links", str(directory)]
    command += ["--target", str(directory / "installed"), "-r", str(directory / "requirements.txt")]
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "PIP_CONFIG_FILE": os.devnull}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_an_altered_package_is_not_installed(tmp_path: pathlib.Path) -> None:
    """With the right hash it is; with another, without any, or changed by a byte, it is not."""
    good = f"pulse-probe==1.0 --hash=sha256:{wheel(tmp_path)}"
    assert (install(tmp_path, good).returncode, (tmp_path / "installed" / "pulse_probe.py").exists()) == (0, True)
    altered = good[:-1] + ("0" if good[-1] != "0" else "1")
    assert "DO NOT MATCH THE HASHES" in install(tmp_path, altered).stderr
    assert "--require-hashes" in install(tmp_path, "pulse-probe==1.0").stderr
    with (tmp_path / "pulse_probe-1.0-py3-none-any.whl").open("ab") as file:
        file.write(b"x")
    assert "DO NOT MATCH THE HASHES" in install(tmp_path, good).stderr
