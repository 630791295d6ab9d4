"""What a project turned out to lose without its plan foreseeing it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("plan", sa.Column("lost_project", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("plan", sa.Column("lost_files", sa.Integer(), server_default="0", nullable=False))
    op.add_column("plan", sa.Column("lost_bytes", sa.BigInteger(), server_default="0", nullable=False))
