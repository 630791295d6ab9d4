"""Plans in files and bytes, and what each page was made from."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("made_entry", sa.LargeBinary(16), nullable=True))
    op.add_column("projects", sa.Column("made_decision", sa.LargeBinary(16), nullable=True))
    op.drop_column("projects", "etag")
    op.add_column("plan", sa.Column("unread", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("plan", sa.Column("new_files", sa.Integer(), server_default="0", nullable=False))
    op.add_column("plan", sa.Column("new_bytes", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("plan", sa.Column("unsized_files", sa.Integer(), server_default="0", nullable=False))
    op.drop_column("plan", "known_bytes")
