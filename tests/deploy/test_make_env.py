"""`make up` on a machine without a `.env`: it makes one that starts everything, and never touches one that is there."""

import pathlib
import time

import pytest

from deploy.make_env import write
from shared.settings import TokenSettings, for_audience, load
from shared.tokens import PublicKeys, SecretKeys, issue, verify
from tests.deploy.compose import parse_env


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
