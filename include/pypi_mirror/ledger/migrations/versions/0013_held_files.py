"""Files that wait before pages list them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

NAME = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "held_files",
        sa.Column("project", NAME, nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("location", sa.LargeBinary(32)),
        sa.Column("sha256", sa.LargeBinary(32)),
        sa.Column("size", sa.BigInteger()),
        sa.Column("metadata_sha256", sa.LargeBinary(32)),
        sa.Column("provenance_sha256", sa.LargeBinary(32)),
        sa.Column("stated", sa.LargeBinary(16)),
        sa.Column("lifted_at", sa.BigInteger()),
        sa.Column("lifted_by", sa.Text()),
        sa.Column("lifted_why", sa.Text()),
        sa.PrimaryKeyConstraint("project", "filename", name=op.f("pk_held_files")),
        sqlite_with_rowid=False,
    )
    op.add_column("catalogue", sa.Column("as_of", sa.BigInteger()))
    op.create_index(op.f("ix_held_files_due_at"), "held_files", ["due_at"])
