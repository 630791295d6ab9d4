"""Projects know when the time alone takes the next file off their pages."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("changes_at", sa.BigInteger()))
    there = sa.text("changes_at IS NOT NULL")
    op.create_index("ix_projects_changes_at", "projects", ["changes_at"], sqlite_where=there)
