"""Inserts many rows."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Insert, Table


def insert_all(connection: Connection, statement: Insert, rows: Sequence[Mapping[str, Any]]) -> None:
    """Executes an INSERT with rows, if there are any.

    For PostgreSQL they become few statements of many rows. psycopg would otherwise send a statement for each in a pipeline, and the server
    neither cancels a pipeline nor ends its transaction while it waits for a client that is suspended in the middle of it.
    """
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        table = cast(Table, statement.table)
        statement = statement.returning(*table.primary_key.columns)  # which makes SQLAlchemy combine the rows
    connection.execute(statement, [*rows])
