"""Samples of the mirror's size, disk and lag; indexes for what people look at while they wait."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "samples",
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("projects", sa.Integer(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("disk_used", sa.BigInteger(), nullable=False),
        sa.Column("disk_free", sa.BigInteger(), nullable=False),
        sa.Column("lag_seconds", sa.BigInteger(), nullable=True),
        sa.Column("backlog", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("run_projects", sa.Integer(), nullable=True),
        sa.Column("run_bytes", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("at", name=op.f("pk_samples")),
    )
    op.create_index(op.f("ix_events_project_serial"), "events", ["project", "serial"], unique=False)
    op.drop_index(op.f("ix_plan_run_id_batch_state"), table_name="plan")
    op.create_index(
        "ix_plan_progress",
        "plan",
        ["run_id", "batch", "state", "files_downloaded", "bytes_downloaded"],
        unique=False,
    )
    # Created again: of fifteen million files it takes seconds to find the tombstones.
    op.drop_index("ix_files_tombstones", table_name="files")
    op.create_index(
        "ix_files_tombstones",
        "files",
        ["removed_at", "size"],
        unique=False,
        sqlite_where=sa.text("removed_at IS NOT NULL"),
        postgresql_where=sa.text("removed_at IS NOT NULL"),
    )
