"""`python -m shared.tokens` as an operator types it."""

import json
import pathlib
import subprocess
import sys
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.tokens import verify
from shared.tokens.keys import SecretKeys
from tests.support.forgery import claims, genuine
from tests.support.token_commands import run_tokens
from tools.processes import ROOT
from tools.stack import Stack

KEYS = "first:" + "a" * 32
ISSUE = ("issue", "--audience", "dashboard", "--subject", "ada", "--rooms", "a, vip-*")


def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command with these variables and no others."""
    return run_tokens(*arguments, given=stdin, environment=environment)


def started(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same in a process that is started for it."""
    command = [sys.executable, "-m", "shared.tokens", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("how", [run, started])
def test_a_token_stands_alone_on_stdout(how: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Scripts can take it as it is; its jti, for revoking it one day, goes to the log."""
    done = how(*ISSUE, TOKEN_KEYS=KEYS)
    verified = verify(SecretKeys.parse(KEYS), done.stdout.strip(), audience="dashboard")
    said = json.loads(done.stderr)
    assert (said["event"], said["jti"], said["subject"]) == ("token.issued", verified.token_id, "ada")
    assert (verified.scope.patterns(), done.stdout.count("\n"), done.stdout.strip() in done.stderr) == (["a", "vip-*"], 1, False)


def test_a_new_key_signs() -> None:
    """What `keygen` prints is an entry of TOKEN_KEYS, a different one each time."""
    keys = [run("keygen").stdout.strip(), run("keygen", "--kid", "next").stdout.strip()]
    tokens = [run(*ISSUE, TOKEN_KEYS=",".join(order)).stdout.strip() for order in (keys, keys[::-1])]
    shown = [json.loads(run("inspect", token, TOKEN_KEYS=keys[1]).stdout) for token in tokens]
    assert [(report["kid"], report["state"]) for report in shown] == [(keys[0].partition(":")[0], "not valid"), ("next", "good")]


def test_a_token_is_shown_without_its_signature() -> None:
    """The output has the claims and whether the token is valid, and no credential; the token may come on stdin."""
    token = run(*ISSUE, "--ttl", "1h", TOKEN_KEYS=KEYS).stdout.strip()
    done = run("inspect", "-", stdin=token, TOKEN_KEYS=KEYS)
    report = json.loads(done.stdout)
    assert (report["state"], report["kid"], report["alg"], report["subject"], report["rooms"]) == (
        "good",
        "first",
        "HS256",
        "ada",
        ["a", "vip-*"],
    )
    assert report["expires"] > report["issued"]
    assert done.returncode == 0
    assert token.rpartition(".")[2] not in done.stdout + done.stderr


STATES = {"expired": {"iat": 1000, "exp": 2000}, "not valid": {"iss": "another"}}


@pytest.mark.parametrize(("state", "changed"), STATES.items(), ids=STATES.keys())
def test_a_token_that_would_be_refused_is_said_so(state: str, changed: dict[str, object]) -> None:
    """In words and in the exit status."""
    done = run("inspect", genuine(KEYS, "dashboard", **changed), TOKEN_KEYS=KEYS)
    assert (json.loads(done.stdout)["state"], done.returncode) == (state, 1)


def test_without_keys_the_signature_is_not_checked() -> None:
    """And that is said, not passed over."""
    done = run("inspect", genuine(KEYS, "ingest", sub="eve\x1b[31m"))
    assert (json.loads(done.stdout)["state"], "not checked" in done.stderr, "\x1b" in done.stdout) == ("unchecked", True, False)


def test_an_ended_token_is_listed_and_shown_as_ended(stack: Stack) -> None:
    """By its jti, as `issue` logged it."""
    token, url = stack.token("ingest"), {"REDIS_URL": stack.redis_url}
    jti = json.loads(run("inspect", token).stdout)["jti"]
    assert json.loads(run("inspect", token, **url).stdout)["revoked"] is False
    assert run("revoke", jti, **url).returncode == 0
    assert jti in {json.loads(line)["jti"] for line in run("revoked", **url).stdout.splitlines()}
    done = run("inspect", token, TOKEN_KEYS=stack.token_keys, **url)
    assert (json.loads(done.stdout)["state"], done.returncode) == ("revoked", 1)


WRONG = {
    "no key": (ISSUE, {}, "TOKEN_KEYS is not set"),
    "short key": (ISSUE, {"TOKEN_KEYS": "a:canary"}, "at least 32 bytes"),
    "public key only": (ISSUE, {"TOKEN_PUBLIC_KEYS": "a:/dev/null"}, "TOKEN_PUBLIC_KEYS should be"),
    "room": ((*ISSUE[:-1], "a*b"), {"TOKEN_KEYS": KEYS}, "a room is an exact id or a prefix"),
    "lifetime": ((*ISSUE, "--ttl", "400d"), {"TOKEN_KEYS": KEYS}, "between 1 second and 366 days"),
    "duration": ((*ISSUE, "--ttl", "soon"), {"TOKEN_KEYS": KEYS}, "such as 8h"),
    "subject": ((*ISSUE[:4], "a\nb", *ISSUE[5:]), {"TOKEN_KEYS": KEYS}, "printable"),
    "no rooms": (ISSUE[:5], {"TOKEN_KEYS": KEYS}, "required: --rooms"),
    "nothing to end": (("revoke",), {"REDIS_URL": "redis://127.0.0.1:1"}, "--jti"),
    "kid": (("keygen", "--kid", "a b"), {}, "letters, digits"),
    "kid with a colon": (("keygen", "--kid", "a:b"), {}, "letters, digits"),
    "not a token": (("inspect", "canary"), {}, "not a token"),
    "neither": (("revoke", "a.canary.b"), {"REDIS_URL": "redis://127.0.0.1:1"}, "not a token"),
    "control": (("revoke", "a\nb"), {"REDIS_URL": "redis://127.0.0.1:1"}, "neither a token nor a jti"),
    "no store": (("revoke", "a"), {}, "REDIS_URL is not set"),
    "store away": (("revoke", "a"), {"REDIS_URL": "redis://:canary@127.0.0.1:1"}, "did not confirm"),
    "store misspelt": (("revoked",), {"REDIS_URL": "redis://u:can#canary@h:1"}, "REDIS_URL should be"),
    "store elsewhere": (("revoked",), {"REDIS_URL": "http://canary"}, "REDIS_URL should be"),
}


@pytest.mark.parametrize("name", ["no key", "short key", "no rooms", "not a token"])
def test_a_started_process_prints_and_ends_as_the_others_do(name: str) -> None:
    """So that it is enough for the other tests not to start one."""
    arguments, environment, _ = WRONG[name]
    one, other = started(*arguments, **environment), run(*arguments, **environment)
    assert (one.returncode, one.stdout, one.stderr) == (other.returncode, other.stdout, other.stderr)


@pytest.mark.parametrize(("arguments", "environment", "text"), WRONG.values(), ids=WRONG.keys())
def test_an_error_says_what_to_do_and_shows_no_secret(arguments: tuple[str, ...], environment: dict[str, str], text: str) -> None:
    """On stderr, with a status that is not 0, nothing on stdout and no traceback."""
    done = run(*arguments, **environment)
    assert (done.returncode != 0, done.stdout, text in done.stderr) == (True, "", True)
    assert not any(word in done.stderr for word in ("Traceback", "canary"))


def test_the_help_names_every_command_and_variable() -> None:
    """The help alone is enough to use the command."""
    text = run("--help").stdout
    words = ("keygen", "issue", "inspect", "revoke", "revoked", "TOKEN_KEYS", "TOKEN_PUBLIC_KEYS", "REDIS_URL")
    assert [word for word in words if word not in text] == []


def test_a_key_file_of_an_outside_issuer_is_enough_to_inspect(tmp_path: pathlib.Path) -> None:
    """Nothing secret is needed to judge what others sign."""
    key = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "pem").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    token = jwt.encode(claims("dashboard"), key, "EdDSA", {"kid": "partner"})
    done = run("inspect", token, TOKEN_PUBLIC_KEYS=f"partner:{tmp_path / 'pem'}")
    assert (json.loads(done.stdout)["state"], json.loads(done.stdout)["alg"]) == ("good", "EdDSA")
