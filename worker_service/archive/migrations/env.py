"""What Alembic runs: the migrations on the connection that `worker_service/archive/schema.py` passes, in one transaction."""

from alembic import context

from shared.archive.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="archive_version",
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
