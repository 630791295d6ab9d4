"""What pages lack of upstream's: files that could not be downloaded, and what was refused."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "left_out",
        sa.Column("project_id", _id, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=True),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("error", sa.String(64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_left_out_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "position", name=op.f("pk_left_out")),
    )
    op.create_index(op.f("ix_left_out_run_id"), "left_out", ["run_id"], unique=False)
