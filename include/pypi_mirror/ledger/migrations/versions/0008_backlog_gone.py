"""What upstream said last of a project on the backlog: that it is gone."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("backlog", sa.Column("gone", sa.Boolean(), server_default=sa.false(), nullable=False))
