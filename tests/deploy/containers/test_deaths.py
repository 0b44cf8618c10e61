"""Containers end by themselves or run out of space, and are restarted or go on."""

import pytest

from tests.deploy.containers.stack import SERVICES, Stack
from tools.waiting import wait_until

each_service = pytest.mark.parametrize("name", SERVICES)


@each_service
def test_a_process_that_dies_is_restarted_by_the_engine(stack: Stack, name: str) -> None:
    """Without a command; data stored before is available after."""
    with stack.producer() as producer:
        producer.deliver(f"before-{name}", 5)
        # Redis may write up to two seconds after its answer, while an earlier write is synchronised.
        information = ("sh", "/etc/pulse/cli.sh", "INFO", "persistence")
        wait_until(lambda: "aof_buffer_length:0" in stack.inside("redis", *information).stdout, "a written append-only file")
        restarts = stack.inspect(name)["RestartCount"]
        stack.kill_process(name)
        stack.wait_for_restart(name, restarts)
        stack.wait_until_healthy()
    with stack.producer() as producer:
        producer.deliver(f"after-{name}", 6)
    wait_until(
        lambda: (stack.value(f"before-{name}"), stack.value(f"after-{name}")) == (5, 6), "both values", seconds=30, ignoring=(Exception,)
    )


@each_service
def test_a_container_at_its_memory_limit_is_restarted_alone(stack: Stack, name: str) -> None:
    """The kernel ends its first process at the limit of that container; the others go on."""
    others = {other: stack.inspect(other)["State"]["StartedAt"] for other in SERVICES if other != name}
    restarts = stack.inspect(name)["RestartCount"]
    with stack.exhausting(name):
        stack.wait_for_restart(name, restarts)
    stack.wait_until_healthy()
    assert {other: stack.inspect(other)["State"]["StartedAt"] for other in others} == others
    with stack.producer() as producer:
        producer.deliver(f"oom-{name}", 7)


def test_full_temporary_directories_stop_no_service(stack: Stack) -> None:
    """The only part of ingest that can be written: readings, snapshots and the smoke check pass while nothing more fits any of them."""
    restarts = {name: stack.inspect(name)["RestartCount"] for name in SERVICES}
    try:
        for name in SERVICES:
            stack.fill(name, "/tmp")
        with stack.producer() as producer:
            producer.deliver("full-tmp", 8)
        wait_until(lambda: stack.value("full-tmp") == 8, "the value")
        stack.make("smoke", f"URL={stack.url}")
    finally:
        for name in SERVICES:
            stack.empty(name, "/tmp")
    assert {name: stack.inspect(name)["RestartCount"] for name in SERVICES} == restarts
    stack.wait_until_healthy()
