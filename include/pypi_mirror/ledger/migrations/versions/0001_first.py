"""The first schema: projects and their files, events, runs and their plans, backlog, lease, facts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_name = sa.String(length=255).with_variant(postgresql.VARCHAR(length=255, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "backlog",
        sa.Column("project", _name, nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("error", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=True),
        sa.Column("exact", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_run_id", sa.BigInteger(), nullable=False),
        sa.Column("first_failed_at", sa.BigInteger(), nullable=False),
        sa.Column("last_failed_at", sa.BigInteger(), nullable=False),
        sa.Column("next_try_at", sa.BigInteger(), nullable=False),
        sa.Column("parked", sa.Boolean(), nullable=False),
        sa.Column("lagging", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("project", name=op.f("pk_backlog")),
    )
    op.create_index(op.f("ix_backlog_next_try_at"), "backlog", ["next_try_at"], unique=False)
    op.create_table(
        "events",
        sa.Column("serial", _id, autoincrement=False, nullable=False),
        sa.Column("project", _name, nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_timestamp"), "events", ["timestamp"], unique=False)
    op.create_table(
        "facts",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_facts")),
    )
    op.create_table(
        "lease",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lease")),
    )
    op.create_table(
        "projects",
        sa.Column("id", _id, nullable=False),
        sa.Column("name", _name, nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=True),
        sa.Column("seen_serial", sa.BigInteger(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("selection", sa.String(length=64), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("dropped_files", sa.Integer(), nullable=False),
        sa.Column("dropped_bytes", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("name", name=op.f("uq_projects_name")),
    )
    op.create_table(
        "runs",
        sa.Column("id", _id, nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(length=16), nullable=True),
        sa.Column("cursor_from", sa.BigInteger(), nullable=True),
        sa.Column("cursor_to", sa.BigInteger(), nullable=True),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("label", name=op.f("uq_runs_label")),
    )
    op.create_index(op.f("ix_runs_started_at"), "runs", ["started_at"], unique=False)
    op.create_table(
        "files",
        sa.Column("project_id", _id, autoincrement=False, nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("location", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("metadata_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("provenance", sa.Boolean(), nullable=False),
        sa.Column("uploaded_at", sa.BigInteger(), nullable=True),
        sa.Column("verified_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_files_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "filename", name=op.f("pk_files")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_files_tombstones",
        "files",
        ["removed_at"],
        unique=False,
        sqlite_where=sa.text("removed_at IS NOT NULL"),
        postgresql_where=sa.text("removed_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_files_uploaded_at"), "files", ["uploaded_at"], unique=False)
    op.create_table(
        "plan",
        sa.Column("run_id", _id, autoincrement=False, nullable=False),
        sa.Column("project", _name, nullable=False),
        sa.Column("batch", sa.SmallInteger(), nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=True),
        sa.Column("exact", sa.Boolean(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("verify", sa.Boolean(), nullable=False),
        sa.Column("known_bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("files_downloaded", sa.Integer(), nullable=False),
        sa.Column("bytes_downloaded", sa.BigInteger(), nullable=False),
        sa.Column("files_kept", sa.Integer(), nullable=False),
        sa.Column("files_dropped", sa.Integer(), nullable=False),
        sa.Column("bytes_dropped", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_plan_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "project", name=op.f("pk_plan")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_plan_run_id_batch_state"), "plan", ["run_id", "batch", "state"], unique=False)
