"""`make up` on a machine without a `.env`: it makes one that starts everything, and never touches one that is there."""

import pathlib

import pytest

from deploy.make_env import write
from shared.settings import TokenSettings, load
from tests.deploy.compose import parse_env


def test_secrets_are_made_once_for_their_owner(tmp_path: pathlib.Path) -> None:
    """Each has a value of its own that suits a URL, and nobody else may read the file."""
    write(tmp_path / ".env")
    made = parse_env((tmp_path / ".env").read_text())
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert len(set(made.values())) == len(made) > 4
    assert all(len(value) >= 32 and value.replace("-", "").replace("_", "").replace(":", "").isalnum() for value in made.values())
    assert load(TokenSettings, made).keyring.signing_kid == "k1"
    with pytest.raises(FileExistsError):
        write(tmp_path / ".env")
    assert parse_env((tmp_path / ".env").read_text()) == made
