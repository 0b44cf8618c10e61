"""The schema's migrations, for Alembic."""
