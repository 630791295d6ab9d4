"""Run by Alembic: migrates over the connection that ``upgrade`` hands in."""

from alembic import context

from pypi_mirror.ledger.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
