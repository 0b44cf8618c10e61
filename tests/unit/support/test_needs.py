"""What tests ask of the machine."""

import pathlib
import shutil
from types import SimpleNamespace

import pytest

from tests.support import needs


@pytest.mark.parametrize(("free_bytes", "unwanted"), [(2**26, []), (2**30 - 1, []), (2**30, ["--disable-dev-shm-usage"])])
def test_a_browser_uses_shared_memory_where_there_is_enough(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, unwanted: list[str]
) -> None:
    """A container has 64 MB by default."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free_bytes))
    assert needs.unwanted_switches(tmp_path) == unwanted


def test_a_machine_may_have_no_shared_memory(tmp_path: pathlib.Path) -> None:
    """The browser then keeps it in files."""
    assert needs.unwanted_switches(tmp_path / "none") == []
