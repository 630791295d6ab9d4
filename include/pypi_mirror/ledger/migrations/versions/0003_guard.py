"""What a plan removes, for the guard; and a serial that was announced while an event's is waited for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain ALTER TABLE: a plan can have a million rows, and a column with a constant default copies none.
    op.add_column("plan", sa.Column("loses_project", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("plan", sa.Column("loses_files", sa.Integer(), server_default="0", nullable=False))
    op.add_column("plan", sa.Column("loses_bytes", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("backlog", sa.Column("announced", sa.BigInteger(), nullable=True))
