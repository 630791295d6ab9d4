"""The services of docker-compose.yaml as processes of this machine, without containers.

Commands, environment and health checks are those of the file. What a container gives for nothing is put in
its place: host names become the loopback with ports of their own, paths of the image those of a temporary
folder and of the checkout. Each part runs as a user of its choice; storage is shared as over NFS, by a group.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.dags.real_airflow import free_port
from tests.deploy.compose import ROOT, example, services
from tests.ledger.postgres import running_postgres
from tests.requirements_present import require

PATIENCE = 150.0
_VENV = Path(sys.executable).parent
# Beyond what accounts have, and different for tests that run at the same time.
_FIRST_ID = 1_000_000 + 8 * os.getpid()
_READ_ANYTHING = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody without an account; ``storage`` is the group that may write to the mirror, None for nobody."""

    name: str
    uid: int
    storage: int | None

    def become(self, *, reads_anything: bool) -> list[str]:
        """What to put before a command."""
        groups = "--clear-groups" if self.storage is None else f"--groups={self.storage}"
        more = _READ_ANYTHING if reads_anything else ()
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", groups, *more]

    def processes(self) -> list[int]:
        """The processes of this user, who has none but ours."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with suppress(FileNotFoundError, ProcessLookupError):
                    status = (entry / "status").read_text()
                    uid = int(status.partition("\nUid:\t")[2].split()[0])
                    if uid == self.uid and "\nState:\tZ" not in status:
                        found.append(int(entry.name))
        return found

    def kill(self) -> None:
        """End all of them at once, as a host does that loses power."""
        while found := self.processes():
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


STORAGE = _FIRST_ID
AIRFLOW = User(name="airflow", uid=_FIRST_ID + 1, storage=STORAGE)
OTHER = User(name="other", uid=_FIRST_ID + 2, storage=STORAGE)
WEB = User(name="web", uid=_FIRST_ID + 3, storage=None)
USERS = (AIRFLOW, OTHER, WEB)


@dataclass(kw_only=True)
class Topology:
    """The parts by their names in the file; a second worker is ``worker`` of another user."""

    folder: Path
    postgres: str
    reads_anything: bool
    extra: Mapping[str, str]
    api: int = field(default_factory=free_port)
    redis: int = field(default_factory=free_port)
    site: int = field(default_factory=free_port)
    scheduler: int = field(default_factory=free_port)
    started: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = example() | {
            "EXECUTOR": "CeleryExecutor",
            "WORKER_CONCURRENCY": "1",
            "AIRFLOW_URL": self.airflow_url,
            # A Fernet key has a form of its own.
            "FERNET_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        }
        self.services = services(self.values)

    @property
    def airflow_url(self) -> str:
        return f"http://127.0.0.1:{self.api}"

    @property
    def site_url(self) -> str:
        return f"http://127.0.0.1:{self.site}/pypi"

    @property
    def mirror(self) -> Path:
        return self.folder / "mirror"

    @property
    def conf(self) -> Path:
        return self.folder / "mirror.conf"

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def here(self, text: str, *, who: str) -> str:
        """``text`` of the file with the names of this machine in it."""
        database = urlsplit(self.postgres)
        for theirs, ours in {
            "@postgres:5432/": f"@127.0.0.1:{database.port}/",
            "@redis:6379/": f"@127.0.0.1:{self.redis}/",
            "http://api-server:8080": self.airflow_url,
            "http://nginx:8080": f"http://127.0.0.1:{self.site}",
            "/etc/pypi-mirror/mirror.conf": str(self.conf),
            "/opt/pypi-mirror": str(ROOT),
            "/srv/pypi": str(self.mirror),
            "/var/log/airflow": str(self.folder / "logs"),
            "/tmp/airflow": str(self.folder / f"airflow-{who}"),
            "dir /data\\n": f"dir {self.folder}/redis\\nport {self.redis}\\nbind 127.0.0.1\\n",
            "redis-cli": f"redis-cli -p {self.redis}",
        }.items():
            text = text.replace(theirs, ours)
        return text

    def environment(self, service: str, *, who: str) -> dict[str, str]:
        """What the file says, and what the network and the host of a container would be."""
        given = {
            name: self.here(str(value), who=who)
            for name, value in self.services[service].get("environment", {}).items()
        }
        return given | {
            "PATH": f"{_VENV}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": "/nonexistent",
            "USER": who,
            "WORKER_NAME": who,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.api),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.scheduler),
            "SITE_ADDRESS": self.site_url,
            "NGINX_RUNTIME": str(self.folder / "nginx"),
            "NGINX_ACCESS_LOG": str(self.folder / "nginx" / "access.log"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.extra,
        }

    def command(self, service: str, *, who: str) -> list[str]:
        words = [self.here(word, who=who) for word in self.services[service]["command"]]
        # The entry point of the image; Redis has its own.
        return words if service == "redis" else [str(ROOT / "deploy/container/run.sh"), *words]

    def run(self, service: str, user: User) -> None:
        """Run a part that ends by itself; what it says when it fails is in the AssertionError."""
        process = self.start(service, user)
        assert process.wait(PATIENCE) == 0, self.log(f"{service}-{user.name}").read_text()[-3000:]

    def start(self, service: str, user: User) -> "subprocess.Popen[bytes]":
        name = f"{service}-{user.name}"
        with self.log(name).open("wb") as log:
            self.started[name] = subprocess.Popen(
                [*user.become(reads_anything=self.reads_anything), *self.command(service, who=user.name)],
                env=self.environment(service, who=user.name),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.started[name]

    def check(self, service: str, user: User) -> "subprocess.CompletedProcess[str]":
        """Run the health check of a service as the engine does: in its environment, as its user."""
        test = [self.here(word, who=user.name) for word in self.services[service]["healthcheck"]["test"]]
        if service == "postgres":
            test += ["--port", str(urlsplit(self.postgres).port)]
        words = ["sh", "-c", test[1]] if test[0] == "CMD-SHELL" else test[1:]
        return subprocess.run(
            [*user.become(reads_anything=self.reads_anything), *words],
            env=self.environment(service, who=user.name),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def until(self, met: Callable[[], Any], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not met():
            for name, process in self.started.items():
                ended = process.poll()
                expected = ended is None or name.startswith("init") or ended == -signal.SIGKILL
                assert expected, f"{name}: {self.log(name).read_text()[-3000:]}"
            assert time.monotonic() < end, f"{what}; see {self.tails()}"
            time.sleep(0.2)

    def healthy(self, service: str, user: User) -> None:
        """Wait until the service's health check says so."""
        self.until(lambda: self.check(service, user).returncode == 0, f"{service} does not become healthy")

    def tails(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-1500:]}" for path in self.folder.glob("*.log"))


@contextmanager
def topology(**extra: str) -> Iterator[Topology]:
    """PostgreSQL with the databases of the file, and folders that the parts' users share; no part runs yet.

    ``extra`` are variables of the environment for all of them.
    """
    require(os.geteuid() == 0, "root (to run the parts as different users)")
    for program in ("setpriv", "redis-server", "psql", "nginx"):
        require(shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin"), program)
    with running_postgres() as url, tempfile.TemporaryDirectory(prefix="pypi-mirror-topology-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        found = Topology(folder=folder, postgres=url, reads_anything=not anybody_can_run_us(), extra=extra)
        for shared in ("mirror", "logs"):
            (folder / shared).mkdir()
            os.chown(folder / shared, AIRFLOW.uid, STORAGE)
            (folder / shared).chmod(0o2775)
        for owner, own in ((AIRFLOW, "redis"), (WEB, "nginx")):
            (folder / own).mkdir()
            os.chown(folder / own, owner.uid, owner.uid)
        for user in USERS:
            (folder / f"airflow-{user.name}").mkdir(mode=0o700)
            os.chown(folder / f"airflow-{user.name}", user.uid, user.uid)
        _make_databases(found)
        try:
            yield found
        finally:
            for user in USERS:
                user.kill()
            for process in found.started.values():
                process.wait()


def anybody_can_run_us() -> bool:
    """Whether other users can read this interpreter: it may be in somebody's home, as pyenv has it.

    If not, they get the capability to read everything; what they may write stays as it is.
    """
    program = "import os, sys; os.listdir(sys.base_prefix); print(sys.version)"
    done = subprocess.run(
        [*WEB.become(reads_anything=False), sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    return done.stdout == f"{sys.version}\n"


def _make_databases(topology: Topology) -> None:
    """By the script that PostgreSQL's image runs at its first start."""
    database = urlsplit(topology.postgres)
    given = {
        name: str(value)
        for name, value in topology.services["postgres"]["environment"].items()
        if name.endswith("_DATABASE_PASSWORD")
    }
    subprocess.run(
        [str(ROOT / "deploy/postgres/create-mirror-database.sh")],
        env={
            "PATH": os.environ["PATH"],
            "PGHOST": "127.0.0.1",
            "PGPORT": str(database.port),
            "POSTGRES_USER": shlex.quote(str(database.username)),
            **given,
        },
        check=True,
        cwd="/",
    )
