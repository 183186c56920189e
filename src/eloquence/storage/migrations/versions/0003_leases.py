"""Who a session is of, which room it is held in, and which process may write it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    op.add_column(
        "sessions", sa.Column("learner", sa.String(64), nullable=False, server_default="")
    )
    op.create_index("ix_sessions_learner", "sessions", ["learner"])
    for name in ("epoch", "beat"):
        op.add_column("sessions", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    op.add_column("sessions", sa.Column("room", sa.String(64)))
    op.add_column("sessions", sa.Column("request", sa.Text))
    op.add_column("turns", sa.Column("checkpoint", sa.Text))


def downgrade() -> None:
    op.drop_column("turns", "checkpoint")
    op.drop_index("ix_sessions_learner", "sessions")
    for name in ("request", "room", "beat", "epoch", "learner"):
        op.drop_column("sessions", name)
