"""The catalogue: upstream's project pages as last read."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_name = sa.String(length=255).with_variant(postgresql.VARCHAR(length=255, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "catalogue",
        sa.Column("name", _name, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=True),
        sa.Column("announced", sa.BigInteger(), nullable=True),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("encoding", sa.SmallInteger(), nullable=False),
        sa.Column("unselected_since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_catalogue")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_catalogue_unselected",
        "catalogue",
        ["unselected_since"],
        unique=False,
        sqlite_where=sa.text("unselected_since IS NOT NULL"),
        postgresql_where=sa.text("unselected_since IS NOT NULL"),
    )
    op.create_table(
        "catalogue_bodies",
        sa.Column("name", _name, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_catalogue_bodies")),
    )
