"""Airflow on this machine: LocalExecutor, one administrator, everything but a PostgreSQL below ``var``."""

import json
import os
import secrets
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local_stack.errors import StackError
from local_stack.layout import Layout
from local_stack.ports import LOOPBACK
from local_stack.services import Service
from mirror_airflow.scheduling import POOL, POOL_VARIABLE

# The address of Airflow's database. A password may be in it, so it comes in the environment: a command line
# is everybody's to read.
VARIABLE = "AIRFLOW_DATABASE"

# One place is left by the batches of a run, which can take hours: for the watch, or another DAG's task.
KEPT_FREE = 1

# SQLite has one writer: with Airflow's default of 32 tasks at once its scheduler dies of "database is
# locked"; few have been seen to hold through hundreds of tasks.
SQLITE_PARALLELISM = 5
SQLITE_PATIENCE = 120
POSTGRESQL_PARALLELISM = 32

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")

ADMINISTRATOR = "admin"

API_SERVER = "api-server"
SCHEDULER = "scheduler"
DAG_PROCESSOR = "dag-processor"
TRIGGERER = "triggerer"
BEFORE_TASKS = (API_SERVER, DAG_PROCESSOR, TRIGGERER)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The secrets of this installation, made once."""

    fernet: str
    jwt: str
    session: str
    password: str


def read_or_make_keys(home: Path) -> Keys:
    """The keys in ``home``, which nobody but its owner may enter; made at the first call.

    Airflow's database lies there, too: connections, and sessions that are logins.
    """
    make_private(home)
    for path in home.iterdir():
        # An earlier version made them under the umask.
        if path.is_file():
            path.chmod(0o600)
    path = home / "keys.json"
    if path.exists():
        return Keys(**json.loads(path.read_text()))
    keys = Keys(
        fernet=urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        jwt=secrets.token_urlsafe(64),
        session=secrets.token_urlsafe(32),
        password=secrets.token_urlsafe(12),
    )
    _write_private(_passwords_file(home), {ADMINISTRATOR: keys.password})
    _write_private(path, asdict(keys))
    return keys


def environment(
    layout: Layout,
    *,
    keys: Keys,
    port: int,
    mirror_conf: Path,
    database: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What each Airflow process gets; another Airflow's settings in our own environment are left out.

    ``database`` is the URL of Airflow's own, None for SQLite.

    Connections and variables (``AIRFLOW_CONN_…``, ``AIRFLOW_VAR_…``) pass: that is how an
    administrator hands over the secrets of the mail server or the webhook.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AIRFLOW") or name.startswith(("AIRFLOW_CONN_", "AIRFLOW_VAR_"))
    }
    address = f"http://{LOOPBACK}:{port}"
    return inherited | {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
        "PYTHONPATH": str(layout.include),
        "PYPI_MIRROR_CONF": str(mirror_conf),
        POOL_VARIABLE: POOL,
        "AIRFLOW_HOME": str(layout.airflow_home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(layout.dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(layout.plugins),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": keys.fernet,
        "AIRFLOW__CORE__AUTH_MANAGER": (
            "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMINISTRATOR}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_passwords_file(layout.airflow_home)),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        **database_environment(layout, database),
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": keys.session,
        "AIRFLOW__API_AUTH__JWT_SECRET": keys.jwt,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(layout.logs / "tasks"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(layout.logs / "dags"),
        **(extra or {}),
    }


def migrate(layout: Layout, env: Mapping[str, str]) -> None:
    """Bring Airflow's database to this version of Airflow; three seconds when it is there already."""
    make_private(layout.logs)
    # SQLite gives its log and its shared memory the mode of the database.
    if env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("sqlite:"):
        (layout.airflow_home / "airflow.db").touch(mode=0o600)
    log = layout.logs / "db-migrate.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [*_airflow(), "db", "migrate"],
            env=dict(env),
            cwd=layout.checkout,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise StackError("Airflow's database cannot be prepared", log=log)


def service(name: str, layout: Layout, env: Mapping[str, str]) -> Service:
    """One of Airflow's processes.

    Scheduler and triggerer would also serve their task logs to other hosts, on ports that every
    Airflow of the machine wants; on one machine the API server reads the logs from the disk.
    """
    options = ("--skip-serve-logs",) if name in (SCHEDULER, TRIGGERER) else ()
    return Service(name=name, argv=(*_airflow(), name, *options), env=env, cwd=layout.checkout)


def make_private(directory: Path) -> None:
    """Make ``directory``, which only its owner may enter."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)


def _airflow() -> tuple[str, ...]:
    return (sys.executable, "-m", "airflow")


def _passwords_file(home: Path) -> Path:
    return home / "passwords.json"


def _write_private(path: Path, content: Mapping[str, str]) -> None:
    """Write a file that nobody else can read, at no moment; whole, or not at all."""
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file)
        file.write("\n")
    temporary.replace(path)
