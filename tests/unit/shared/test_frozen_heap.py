"""The garbage collector leaves alone what a service has imported and created before it serves."""

import gc
import sys
from typing import cast

import pytest

from shared.web.server import Server, run
from shared.web.startup import set_up_interpreter


class _Server:
    """Counts the frozen objects while it serves."""

    started, crashed, frozen = True, False, 0

    def run(self) -> None:
        """Serves."""
        self.frozen = gc.get_freeze_count()


def test_a_service_serves_with_its_start_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a full collection holds the event loop for tens of milliseconds."""
    monkeypatch.setattr(gc, "collect", lambda: 0)  # of the test runner's heap, which takes long
    server = _Server()
    gc.unfreeze()  # what tests/conftest.py has frozen; `run` freezes it again
    assert run(cast("Server", server)) == 0
    assert server.frozen > 10_000


def test_a_service_waits_for_neither_a_thread_nor_a_large_collection() -> None:
    """A thread that reads the archive leaves the interpreter within half a millisecond, and a partial collection looks at few objects."""
    thresholds, switch_seconds = gc.get_threshold(), sys.getswitchinterval()
    try:
        set_up_interpreter()
        young, old, _ = gc.get_threshold()
        assert young * old <= 25_000
        assert sys.getswitchinterval() <= 0.0005
    finally:
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(switch_seconds)
