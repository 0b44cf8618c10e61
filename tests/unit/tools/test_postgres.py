"""The PostgreSQL that tests start: a real one, with a password, that survives being killed."""

import psycopg
import pytest

from tests.support.postgres import HOST, USER, postgres


def test_a_real_postgresql_keeps_its_data_and_refuses_a_wrong_password() -> None:
    with postgres() as server:
        url = server.new_database().replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (number int)")
            connection.execute("INSERT INTO kept VALUES (7)")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host=HOST, port=server.port, user=USER, password="wrong", dbname="postgres")
        server.kill()
        server.start()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]
            version = connection.info.server_version
    assert version >= 140000
