"""What the allowlist requires, and who requires it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

NAME = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "core_metadata",
        sa.Column("key", sa.LargeBinary(32), nullable=False),
        sa.Column("requires", sa.LargeBinary(16), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_core_metadata")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "requires",
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_requires")),
    )
    op.create_table(
        "demands",
        sa.Column("project", NAME, nullable=False),
        sa.Column("demands", sa.LargeBinary(), nullable=False),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.Column("rules", sa.LargeBinary(16)),
        sa.Column("reached", sa.Boolean(), nullable=False),
        sa.Column("grown", sa.Integer(), nullable=False),
        sa.Column("followed", sa.Integer()),
        sa.Column("made_entry", sa.LargeBinary(16)),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.Column("lacks", sa.LargeBinary()),
        sa.Column("unknown_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("project", name=op.f("pk_demands")),
    )
    op.create_index(op.f("ix_demands_reached_changed"), "demands", ["reached", "changed"])
    op.create_table(
        "requirements",
        sa.Column("source", NAME, nullable=False),
        sa.Column("target", NAME, nullable=False),
        sa.Column("edges", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("source", "target", name=op.f("pk_requirements")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_requirements_target"), "requirements", ["target"])
