"""What is left to do has its bytes, as the pages state them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, kind in (("new_bytes", sa.BigInteger()), ("unsized_files", sa.Integer())):
        op.add_column("to_do", sa.Column(name, kind, nullable=False, server_default="0"))
