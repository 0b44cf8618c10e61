"""A studio file that cannot be read is refused with the reason, and never waited for."""

import os
import pathlib

import pytest

from shared.studio.faults import StudioError
from shared.studio.file import read_file
from shared.studio.parse import MAX_BYTES


def problem(path: pathlib.Path | str) -> str:
    """Why a file is refused."""
    with pytest.raises(StudioError) as raised:
        read_file(str(path))
    return raised.value.problems[0]


def test_a_file_is_read_as_it_is_and_a_large_one_only_up_to_what_shows_that_it_is_too_large(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "studio.toml"
    file.write_bytes(b"\0\xff\r\n")
    assert read_file(str(file)) == b"\0\xff\r\n"
    file.write_bytes(b"#" * 2**21)
    assert len(read_file(str(file))) == MAX_BYTES + 1


def test_what_is_no_file_is_refused(tmp_path: pathlib.Path) -> None:
    assert "no such file" in problem(tmp_path / "missing.toml")
    assert "is not a file" in problem(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in problem(tmp_path / "pipe")
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    assert "loop.toml: cannot be read" in problem(tmp_path / "loop.toml")
    assert "cannot be read" in problem("studio\0.toml")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_a_file_without_permission_is_refused(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "studio.toml"
    file.write_text("")
    file.chmod(0)
    assert "permission denied" in problem(file)
