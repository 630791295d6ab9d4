"""Where Airflow keeps what it knows: SQLite below ``var/airflow``, or a PostgreSQL that is there already."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from local_stack.errors import StackError
from local_stack.layout import Layout

# A password may be in it, so it comes in the environment: a command line is everybody's to read.
VARIABLE = "AIRFLOW_DATABASE"

# One place is left by the batches of a run, which can take hours: for the watch, or another DAG's task.
KEPT_FREE = 1

# SQLite has one writer: with Airflow's default of 32 tasks at once its scheduler dies of "database is
# locked"; few have been seen to hold through hundreds of tasks.
SQLITE_PARALLELISM = 5
SQLITE_PATIENCE = 120
POSTGRESQL_PARALLELISM = 32

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")


def database_environment(layout: Layout, url: str | None) -> Mapping[str, str]:
    """Airflow's settings for its database at ``url``, ``postgresql://…/name``; None stands for SQLite.

    Raises StackError for an address that is none of these.
    """
    if url is None:
        return _environment(
            f"sqlite:///{layout.airflow_home / 'airflow.db'}?timeout={SQLITE_PATIENCE}", SQLITE_PARALLELISM
        )
    scheme, _, rest = url.partition("://")
    if scheme not in _SCHEMES or not urlsplit(f"//{rest}").path.strip("/"):
        raise StackError(
            f"{VARIABLE} must be postgresql://USER:PASSWORD@HOST:PORT/NAME, the address of a database that "
            "exists; leave it out for SQLite below var/"
        )
    # Left to itself Airflow would want another driver for the same database in its API server.
    address = f"postgresql+psycopg://{rest}"
    return _environment(address, POSTGRESQL_PARALLELISM) | {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": address
    }


def _environment(address: str, parallelism: int) -> dict[str, str]:
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address,
        "AIRFLOW__CORE__PARALLELISM": str(parallelism),
    }
