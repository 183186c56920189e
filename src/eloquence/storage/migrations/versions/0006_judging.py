"""Until when a process is judging the content of a session, so that no two do."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("judging", sa.Float))


def downgrade() -> None:
    op.drop_column("sessions", "judging")
