"""Runs migrations on the connection it is handed; offhook.storage.database is its only caller."""

from alembic import context

from offhook.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
