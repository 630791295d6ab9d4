"""What syncs have still to do is a table, no longer a fact that names the plan of an earlier run."""

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_name = sa.String(length=255).with_variant(postgresql.VARCHAR(length=255, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "to_do",
        sa.Column("project", _name, nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=True),
        sa.Column("exact", sa.Boolean(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("unread", sa.Boolean(), nullable=False),
        sa.Column("loses_project", sa.Boolean(), nullable=False),
        sa.Column("loses_files", sa.Integer(), nullable=False),
        sa.Column("loses_bytes", sa.BigInteger(), nullable=False),
        sa.Column("approved_in", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("project", name=op.f("pk_to_do")),
        sqlite_with_rowid=False,
    )
    op.add_column("runs", sa.Column("policy", sa.String(length=64), nullable=True))
    _move_what_was_left()


def _move_what_was_left() -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT key, value FROM facts WHERE key IN ('left_over', 'comparing')"))
    facts: dict[str, str] = {row.key: row.value for row in rows}
    connection.execute(sa.text("DELETE FROM facts WHERE key IN ('left_over', 'comparing')"))
    rest = json.loads(facts.get("left_over", "null"))
    # Of other filters, the next run compares everything.
    if rest is None or rest.get("selection") is None or rest["selection"] != facts.get("comparing"):
        return
    columns = (
        "project, display_name, action, reason, serial, exact, gone, unread, loses_project, loses_files, "
        "loses_bytes"
    )
    # A run that did not come to its end tries again what failed in it.
    states = "('pending')" if rest.get("published") else "('pending', 'failed')"
    approved = "run_id" if rest.get("approved") else "NULL"
    connection.execute(
        sa.text(
            f"INSERT INTO to_do ({columns}, approved_in) SELECT {columns}, {approved} FROM plan "  # noqa: S608
            f"WHERE run_id = :run_id AND state IN {states}"
        ),
        {"run_id": rest["run_id"]},
    )
    noted = {
        "selection": rest["selection"],
        "read": None if rest.get("serial") is None else str(rest["serial"]),
        "index_etag": rest.get("etag"),
    }
    for key, value in noted.items():
        connection.execute(sa.text("DELETE FROM facts WHERE key = :key"), {"key": key})
        if value is not None:
            connection.execute(
                sa.text("INSERT INTO facts (key, value) VALUES (:key, :value)"), {"key": key, "value": value}
            )
