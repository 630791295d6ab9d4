"""What the audit keeps: when a project was gone through, what its page and its provenance were, orphans."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain ALTER TABLE: neither database copies fifteen million rows for a column without a value.
    op.add_column("projects", sa.Column("page_digest", sa.LargeBinary(length=32), nullable=True))
    op.add_column("projects", sa.Column("audited_at", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(op.f("ix_projects_audited_at_id"), "projects", ["audited_at", "id"], unique=False)
    op.add_column("files", sa.Column("provenance_sha256", sa.LargeBinary(length=32), nullable=True))
    op.create_table(
        "orphans",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_orphans")),
    )
