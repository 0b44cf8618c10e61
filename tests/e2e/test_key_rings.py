"""A key for each audience, of which a service has the public half alone: from the command line to both services."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support.posting import JSON, ONE, authorization, body_of, post
from tests.support.raw_http import exchange, request
from tests.support.token_commands import run_tokens
from tools.processes import ROOT, Service
from tools.stack import Stack


def tokens(*arguments: str, given: str = "", **environment: str) -> str:
    """What the command line prints."""
    return run_tokens(*arguments, given=given, environment=environment, check=True).stdout.strip()


class Rings(NamedTuple):
    """Two services with public keys, and what issues."""

    ingest: Service
    broadcast: Service
    private: dict[str, str]

    def token(self, audience: str, **keys: str) -> str:
        """A token of the command line, which is given the keys of all audiences unless others are named."""
        return tokens("issue", "--audience", audience, "--subject", "x", "--rooms", "*", **(keys or self.private))

    def statuses(self, token: str) -> tuple[int, int]:
        """What ingest and broadcast say of a token."""
        posted = post(self.ingest, ONE, (*JSON, authorization(token)), body_of(ONE, room_id="rings"))
        return posted.status, exchange(self.broadcast.port, request("GET", ONE, (authorization(token),))).status


@pytest.fixture(scope="module")
def rings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rings]:
    """As compose.yaml has it on a new stack."""
    private = {f"{audience}_TOKEN_KEYS": tokens("keygen", "--algorithm", "EdDSA") for audience in ("INGEST", "DASHBOARD")}
    public = {name: tokens("public", given=key) for name, key in private.items()}
    assert not set(private.values()) & set(public.values())
    with Stack(tmp_path_factory.mktemp("rings")) as stack:
        ingest = stack.ingest(None, TOKEN_KEYS="", TOKEN_PUBLIC_KEYS=public["INGEST_TOKEN_KEYS"])
        broadcast = stack.broadcast(None, TOKEN_KEYS="", TOKEN_PUBLIC_KEYS=public["DASHBOARD_TOKEN_KEYS"])
        yield Rings(ingest, broadcast, private)


def test_each_audience_has_a_key_of_its_own(rings: Rings) -> None:
    """The command line signs with the one that the audience calls for."""
    assert rings.statuses(rings.token("ingest")) == (200, 401)
    assert rings.statuses(rings.token("dashboard")) == (401, 200)


def test_what_one_service_knows_opens_nothing_at_the_other(rings: Rings) -> None:
    """Not even the private key of the other audience, nor a public key taken for a shared secret."""
    assert rings.statuses(rings.token("ingest", TOKEN_KEYS=rings.private["DASHBOARD_TOKEN_KEYS"])) == (401, 401)
    assert rings.statuses(rings.token("dashboard", TOKEN_KEYS=rings.private["INGEST_TOKEN_KEYS"])) == (401, 401)
    kid = rings.private["INGEST_TOKEN_KEYS"].partition(":")[0]
    secret = tokens("public", given=rings.private["INGEST_TOKEN_KEYS"]).rpartition(":")[2]
    assert rings.statuses(rings.token("ingest", TOKEN_KEYS=f"{kid}:{secret}")) == (401, 401)


def test_a_token_of_either_audience_is_looked_into_with_all_keys(rings: Rings) -> None:
    """Its signature is checked for every kind of key."""
    for audience in ("ingest", "dashboard"):
        assert '"state": "good"' in tokens("inspect", "-", given=rings.token(audience), **rings.private)


def test_the_smoke_check_signs_with_private_keys_itself(rings: Rings, tmp_path: pathlib.Path) -> None:
    """Without any package."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "INGEST_URL": rings.ingest.url, **rings.private}
    command = [sys.executable, "-S", "tools/smoke.py", rings.broadcast.url]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_shared_secret_has_no_public_half() -> None:
    """Which the command line says instead of printing the secret."""
    done = run_tokens("public", given="k:" + "canary" * 6)
    assert (done.returncode, "no public half" in done.stderr, "canary" in done.stdout + done.stderr) == (1, True, False)


CUT = ["", "short", "A" * 42, "A" * 44, "!" * 43, "A" * 42 + "B"]


@pytest.mark.parametrize("key", [f"ed25519:{cut}" for cut in CUT])
@pytest.mark.parametrize("name", ["TOKEN_KEYS", "TOKEN_PUBLIC_KEYS"])
def test_a_key_that_is_cut_stops_the_start(stack: Stack, name: str, key: str, tmp_path: pathlib.Path) -> None:
    """The error names the valid form and repeats nothing of the key."""
    environment = stack.environment() | {"TOKEN_KEYS": "", name: f"k:{key}"}
    service = Service("ingest_service", environment, host="127.0.0.1", port=0, log=tmp_path / "log")
    service.launch()
    status, printed = service.wait(30), service.log.read_text()
    assert (status, f"{name} should be" in printed, "Traceback" in printed) == (2, True, False)
    assert key == "ed25519:" or key.removeprefix("ed25519:") not in printed
