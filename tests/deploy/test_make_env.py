"""`make up` on a machine without a `.env`: it makes one that starts everything, and never touches one that is there."""

import pathlib
import re
import time

import pytest

from deploy.make_env import complete, write
from shared.settings import TokenSettings, for_audience, load
from shared.tokens import issue, verify
from shared.tokens.keys import PublicKeys, SecretKeys
from tests.deploy.compose import EXAMPLE, parse_env


def test_secrets_are_made_once_for_their_owner(tmp_path: pathlib.Path) -> None:
    """Each secret has a value of its own that is valid in a URL, and only the owner may read the file."""
    write(tmp_path / ".env")
    made = parse_env((tmp_path / ".env").read_text())
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert len(set(made.values())) == len(made) > 4
    assert all(len(value) >= 32 and value.replace("-", "").replace("_", "").replace(":", "").isalnum() for value in made.values())
    for audience in ("ingest", "dashboard"):
        private, public = made[f"{audience.upper()}_TOKEN_KEYS"], made[f"{audience.upper()}_PUBLIC_KEYS"]
        assert SecretKeys.parse(private).public() == public
        signing = load(TokenSettings, for_audience(audience, made)).keyring
        token = issue(signing, audience=audience, subject="x", rooms=["*"], platforms=None, ttl_seconds=60, now_seconds=int(time.time()))
        assert verify(PublicKeys.parse(public), token, audience=audience).subject == "x"
    assert made["INGEST_TOKEN_KEYS"] != made["DASHBOARD_TOKEN_KEYS"]
    with pytest.raises(FileExistsError):
        write(tmp_path / ".env")
    assert parse_env((tmp_path / ".env").read_text()) == made


def test_passwords_of_a_later_version_are_added_and_nothing_else_changes(tmp_path: pathlib.Path) -> None:
    """A stack made before there was a worker starts after an update, with its own keys and settings."""
    target, older = tmp_path / ".env", tmp_path / "older.example"
    older.write_text(re.sub(r"(?m)^(REDIS_WORKER|POSTGRES_[A-Z]+)_PASSWORD=\n", "", EXAMPLE))
    write(target, older)
    target.write_text(target.read_text().replace("\nGRAFANA_PASSWORD=", "\nTOKEN_KEYS=k1:x\n# mine\nGRAFANA_PASSWORD=").rstrip("\n"))
    before = target.read_text()
    added = complete(target)
    after = target.read_text()
    assert after.startswith(before + "\n")
    assert added == ["REDIS_WORKER_PASSWORD", "POSTGRES_ADMIN_PASSWORD", "POSTGRES_WORKER_PASSWORD", "POSTGRES_BROADCAST_PASSWORD"]
    assert all(len(parse_env(after)[name]) >= 32 for name in added)
    assert parse_env(after).keys() >= parse_env(EXAMPLE).keys()
    assert target.stat().st_mode & 0o777 == 0o600
    assert complete(target) == []
    assert target.read_text() == after


@pytest.mark.parametrize("line", ["REDIS_WORKER_PASSWORD=", "REDIS_WORKER_PASSWORD = x", "  REDIS_WORKER_PASSWORD=x"])
def test_a_password_that_is_named_is_left_alone(tmp_path: pathlib.Path, line: str) -> None:
    """Also an empty one: Compose names it then, with what to do."""
    (tmp_path / ".env").write_text(f"{line}\n")
    assert "REDIS_WORKER_PASSWORD" not in complete(tmp_path / ".env")
