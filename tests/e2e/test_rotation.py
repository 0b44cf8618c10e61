"""Rotating a key as docs/operations.md says interrupts no client, and in the end the old key opens nothing."""

import json

import pytest

from tests.support.posting import JSON, ONE, authorization, body_of, post
from tests.support.raw_websocket import upgrade
from tests.support.token_commands import run_tokens
from tools.processes import Service
from tools.stack import Stack

OLD, NEW = "old:" + "o" * 32, "new:" + "n" * 32


def issued(keys: str, audience: str) -> str:
    """A token as the command line issues it with these keys."""
    arguments = ("issue", "--audience", audience, "--subject", "rotation", "--rooms", "*")
    return run_tokens(*arguments, environment={"TOKEN_KEYS": keys}, check=True).stdout.strip()


def opens(services: tuple[Service, Service], keys: str, step: int) -> bool:
    """Whether what these keys sign opens both services; they must agree."""
    ingest, broadcast = services
    posted = post(ingest, ONE, (*JSON, authorization(issued(keys, "ingest"))), body_of(ONE, room_id="rotation", tokens_count=step))
    opened = upgrade(broadcast, (authorization(issued(keys, "dashboard")),))
    assert (posted.status, opened.status) in ((200, 101), (401, 401))
    return posted.status == 200


@pytest.mark.parametrize(
    ("keys", "old", "new"),
    [(OLD, True, False), (f"{OLD},{NEW}", True, True), (f"{NEW},{OLD}", True, True), (NEW, False, True)],
    ids=["before", "appended", "first", "removed"],
)
def test_each_step_of_a_rotation(stack: Stack, keys: str, old: bool, new: bool) -> None:  # noqa: FBT001 - a table
    """While both keys are there both open, in either order; before and after, one does."""
    services = stack.ingest(TOKEN_KEYS=keys), stack.broadcast(TOKEN_KEYS=keys)
    assert (opens(services, OLD, 1), opens(services, NEW, 2)) == (old, new)


def test_the_first_key_signs_and_is_named() -> None:
    """So that `inspect` shows which tokens are still to be replaced."""
    kids = {}
    for keys in (f"{OLD},{NEW}", f"{NEW},{OLD}"):
        done = run_tokens("inspect", "-", given=issued(keys, "dashboard"), check=True)
        kids[keys] = json.loads(done.stdout)["kid"]
    assert list(kids.values()) == ["old", "new"]
