"""Which bytes a file name means: other digests than SHA-256, and files that were deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    name = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")
    op.add_column("files", sa.Column("stated", sa.LargeBinary(16), nullable=True))
    op.create_table(
        "past_files",
        sa.Column("project", name, nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("project", "filename", name=op.f("pk_past_files")),
        sqlite_with_rowid=False,
    )
