"""What was asked for: which request made which session in a room, and how long was talked."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    op.create_table(
        "requests",
        sa.Column("learner", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("session_id", sa.String(64), nullable=False, index=True),
        sa.Column("asked_at", sa.Float, nullable=False, index=True),
        sa.Column("talked", sa.Float),
    )
    op.create_index("ix_sessions_room", "sessions", ["room"])


def downgrade() -> None:
    op.drop_index("ix_sessions_room", "sessions")
    op.drop_table("requests")
