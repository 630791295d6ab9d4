"""A private PostgreSQL for tests: a cluster in a temporary folder, on a free port of the loopback."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.requirements_present import require

_PATIENCE = 60.0


@contextmanager
def running_postgres() -> Iterator[str]:
    """Start a cluster (PostgreSQL 15 or newer); gives the SQLAlchemy URL of its database ``postgres``."""
    initdb, postgres = (_binary(name) for name in ("initdb", "postgres"))
    require(initdb and postgres, "PostgreSQL (initdb, postgres)")
    assert initdb is not None
    assert postgres is not None
    user = _somebody() if os.geteuid() == 0 else None
    # Not pytest's tmp_path: every pytest that starts makes the folder above it root's alone again.
    with tempfile.TemporaryDirectory(prefix="pypi-mirror-postgres-") as folder:
        home = Path(folder)
        (home / "data").mkdir()
        if user is not None:
            home.chmod(0o711)
            os.chown(home / "data", user.pw_uid, user.pw_gid)
        with _serving(home, initdb, postgres, [] if user is None else _become(user)) as port:
            yield f"postgresql+psycopg://tester@127.0.0.1:{port}/postgres"


@contextmanager
def _serving(home: Path, initdb: str, postgres: str, become: list[str]) -> Iterator[int]:
    data = home / "data"
    subprocess.run(
        [
            *(*become, initdb, "-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"),
            # English does not sort by byte: our columns have to ask for it.
            *("--locale=C", "--locale-provider=icu", "--icu-locale=en-US", "--no-instructions"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    port = _free_port()
    command = [*become, postgres, "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", ""]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen([*command, "-F"], stdout=log, stderr=log, cwd="/")
    try:
        _wait_until_up(server, port, home / "log")
        yield port
    finally:
        server.terminate()  # "smart": pytest has closed its connections by now
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _binary(name: str) -> str | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else shutil.which(name)


def _somebody() -> pwd.struct_passwd:
    """Whom PostgreSQL runs as where we are root, which it refuses to be."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


def _become(user: pwd.struct_passwd) -> list[str]:
    """What to put before a command."""
    setpriv = shutil.which("setpriv")
    require(setpriv, "setpriv")
    return [str(setpriv), f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=tester dbname=postgres").close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
