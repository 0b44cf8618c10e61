"""Where PYTHONPATH leads here, a test can end one of a service's jobs as a bug would: KILL_FILE says which, and in what way."""

import asyncio
import contextlib
import gc
import os
import pathlib
import select
import threading
from typing import Any


def _sleep(seconds: float) -> None:
    """Not time.sleep, which fails under libfaketime."""
    select.select([], [], [], seconds)


def _tasks() -> list[asyncio.Task[Any]]:
    return [task for task in gc.get_objects() if isinstance(task, asyncio.Task) and not task.done()]


def _kill(task: Any, how: str) -> None:
    waits_for = task._fut_waiter
    if how == "cancel":
        task.cancel()
    elif waits_for is None or waits_for.done():
        return
    elif how == "raise":
        waits_for.set_exception(RuntimeError("killed by a test"))
    elif how == "hang":  # its event will arrive and it will not be resumed
        for callback, _ in list(waits_for._callbacks):
            waits_for.remove_done_callback(callback)


def _obey(path: pathlib.Path) -> None:
    while not path.exists():
        _sleep(0.02)
    how, name = path.read_text().split(" ")
    jobs = [task for task in _tasks() if getattr(task.get_coro(), "__qualname__", "") == "Jobs._supervise"]
    write_to = path.with_suffix(".jobs")
    write_to.write_text("\n".join(sorted(task.get_name() for task in jobs)))
    for task in _tasks() if how != "list" else ():
        if name in (task.get_name(), getattr(task.get_coro(), "__qualname__", "")):
            task.get_loop().call_soon_threadsafe(_kill, task, how)
            while how != "hang" and not task.done():  # amid a reconnect a service may rightly take a single blow for a lost connection
                _sleep(0.1)
                with contextlib.suppress(RuntimeError):  # the loop has ended with the job
                    task.get_loop().call_soon_threadsafe(_kill, task, how)


if "KILL_FILE" in os.environ:
    threading.Thread(target=_obey, args=(pathlib.Path(os.environ["KILL_FILE"]),), daemon=True).start()
