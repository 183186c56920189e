"""Sessions and their turns."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("started_at", sa.Float, nullable=False, index=True),
        sa.Column("owner", sa.String(64), index=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("ending", sa.Text),
    )
    op.create_table(
        "turns",
        sa.Column(
            "session_id",
            sa.String(64),
            sa.ForeignKey("sessions.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("end", sa.Float, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("sound", sa.LargeBinary),
    )
