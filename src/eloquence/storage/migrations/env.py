"""What Alembic runs: the steps, inside the transaction that the store has opened."""

from alembic import context

from eloquence.storage.database import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
