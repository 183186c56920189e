"""What the learner, the judge and the report add to a session, and the language to look by."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    # Columns are added and never the table made anew: dropping the old one would drop its turns.
    op.add_column(
        "sessions", sa.Column("language", sa.String(8), nullable=False, server_default="")
    )
    for name in ("annotations", "judgement", "outcome"):
        op.add_column("sessions", sa.Column(name, sa.Text))
    connection = op.get_bind()
    kept = connection.execute(sa.text("SELECT id, body FROM sessions")).all()
    for session_id, body in kept:
        connection.execute(
            sa.text("UPDATE sessions SET language = :language WHERE id = :id"),
            {"language": _language(body), "id": session_id},
        )


def downgrade() -> None:
    for name in ("outcome", "judgement", "annotations", "language"):
        op.drop_column("sessions", name)


def _language(body: str) -> str:
    try:
        return str(json.loads(body).get("language", ""))
    except (ValueError, AttributeError):  # unreadable already; the store says so when asked
        return ""
