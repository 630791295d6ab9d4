"""A real Airflow for the tests of the DAG: its scheduler, its API, mail and webhook to complain to."""

import itertools
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from local_stack.airflow_api import UNFINISHED, AirflowApi, AirflowSilent
from local_stack.airflow_server import ADMINISTRATOR, SCHEDULER, read_or_make_keys
from local_stack.errors import StackError
from local_stack.layout import CHECKOUT, Layout
from local_stack.ports import LOOPBACK
from local_stack.stack import Stack
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.settings.read import read_settings
from tests.command_lines import CommandLines, record
from tests.dags.receivers import MailServer, Webhook, serving
from tests.ledger.postgres import running_postgres
from tests.warehouse import Upload, Warehouse, Wheel, running

DAG_ID = "pypi_mirror"
AUDIT_ID = "pypi_mirror_audit"
COOLDOWN_ID = "pypi_mirror_cooldown"
WATCH_ID = "pypi_mirror_watch"
FINISHED = ("success", "failed")
# Seconds after which a test that waits for Airflow is taken to hang, however busy the machine is.
PATIENCE = 600.0
VIEWER = "viewer"
VIEWERS_PASSWORD = "may look"
SLACK_TOKEN = "T0/B0/x"
# Of PostgreSQL's user, who is let in with any, and for upstream, which asks for none.
DATABASE_PASSWORD = "hidden-word-of-the-database"
LOGIN_PASSWORD = "hidden-word-of-the-login"

# Once a day: it makes a DAG one that can be backfilled, and starts a single run when it is unpaused. The time
# of day is hours ago (``daily_at``): no other run is to come into a test.
CONF = """\
[mirror]
directory = {directory}
master = {master}
stop-on-error = {stop_on_error}
workers = 1

[ledger]
{ledger}

[removal]
always-allowed = {always_allowed}
approvers = {approvers}

[site]
enabled = {site}
port = {port}

[schedule]
cron = {minute} {hour} * * *
{schedule}
batch-size = 2
retries = 1
retry-delay = 1

[audit]
cron = {minute} {hour} 1 * *

{filters}

[alerts]
email-to = admin@example.com
email-from = mirror@example.com
smtp-connection = test_mail
slack-connection = test_slack
webhook-connection = test_hook
watch-cron = {minute} {hour} 1 * *
{alerts}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def upstream_of(*names: str) -> Warehouse:
    """An upstream with one wheel of each project."""
    return Warehouse(*(Upload(distribution=Wheel(name=name)) for name in names))


def pages(directory: Path) -> set[str]:
    """The projects that a mirror has pages of."""
    return {page.parent.name for page in directory.glob("web/simple/*/index.html")}


@contextmanager
def prepared(var: Path, database: str) -> Iterator["RealAirflow"]:
    """All that a real Airflow on ``database`` (sqlite, postgresql) needs; it is not started yet."""
    checkout = CHECKOUT
    stack = Stack(Layout(checkout, var=var, dags=checkout / "dags"))
    with ExitStack() as servers:
        new_database = None
        if database == "postgresql":
            new_database = _databases(servers.enter_context(running_postgres()))
        mail = servers.enter_context(serving(MailServer()))
        webhook, slack = (servers.enter_context(serving(Webhook())) for _ in range(2))
        try:
            yield RealAirflow(
                stack=stack,
                conf=var / "mirror.conf",
                port=free_port(),
                mail=mail,
                webhook=webhook,
                slack=slack,
                new_database=new_database,
                command_lines=record(var / "recorded"),
            )
        finally:
            # Nothing of it is needed any more.
            stack.stop(patience=1)


def start_for_tests(airflow: "RealAirflow", directory: Path) -> None:
    """Start Airflow; the run that the schedule starts first is over afterwards."""
    with running(Warehouse(Upload(distribution=Wheel(name="first")))) as upstream:
        airflow.configure(directory, upstream.url)
        airflow.start()
        airflow.await_(lambda: bool(airflow.api.runs(DAG_ID)), lambda: "the schedule started no run")
        assert airflow.wait(airflow.api.runs(DAG_ID)[0]["dag_run_id"]) == "success"


def wait_until(condition: Callable[[], bool], otherwise: Callable[[], object], every: float = 0.3) -> None:
    """Ask again and again; an API server that is too busy to answer says neither yes nor no."""
    end = time.monotonic() + PATIENCE
    while True:
        with suppress(AirflowSilent):
            if condition():
                return
        assert time.monotonic() < end, otherwise()
        time.sleep(every)


def _databases(server: str) -> Callable[[], str]:
    """What makes a new, empty database of the PostgreSQL at the URL ``server``, and returns its URL."""
    numbers = itertools.count()

    def new_database() -> str:
        name = f"airflow_{next(numbers)}"
        with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return make_url(server).set(database=name).render_as_string(hide_password=False)

    return new_database


def _last_lines(log: Path | None) -> str:
    return "" if log is None else "\n".join(log.read_text(errors="replace").splitlines()[-60:])


def _with_password(url: str) -> str:
    return make_url(url).set(password=DATABASE_PASSWORD).render_as_string(hide_password=False)


@dataclass(kw_only=True)
class RealAirflow:
    """The running Airflow; each test writes the configuration that the DAG's tasks read.

    With ``new_database``, which makes a PostgreSQL database and returns its URL, Airflow's own and every
    mirror's ledger are there, else they are SQLite. ``command_lines`` are of all its processes.
    """

    stack: Stack
    conf: Path
    port: int
    mail: MailServer
    webhook: Webhook
    slack: Webhook
    command_lines: CommandLines
    new_database: Callable[[], str] | None = None
    daily_at: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=6))
    api: AirflowApi = field(init=False)

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start Airflow, with the configuration that is there, and let the DAG run.

        Apart from the administrator there is the user VIEWER, who may only look.
        """
        home = self.stack.layout.airflow_home
        passwords = {ADMINISTRATOR: read_or_make_keys(home).password, VIEWER: VIEWERS_PASSWORD}
        (home / "passwords.json").write_text(json.dumps(passwords))
        self.api = self.stack.start_airflow(
            port=self.port,
            mirror_conf=self.conf,
            dag_id=DAG_ID,
            database=None if self.new_database is None else _with_password(self.new_database()),
            extra_env={
                "PYTHONPATH": os.pathsep.join((self.command_lines.path, str(self.stack.layout.include))),
                "AIRFLOW_CONN_PYPI_MIRROR_UPSTREAM": f"http://me:{LOGIN_PASSWORD}@127.0.0.1/",
                # A run is a chain of tasks, and before each the scheduler sleeps up to a second by default.
                "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
                # A DAG whose configuration a test has changed is there as soon as its file was read again.
                "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMINISTRATOR}:admin,{VIEWER}:viewer",
                "AIRFLOW_CONN_TEST_MAIL": json.dumps(
                    {
                        "conn_type": "smtp",
                        "host": "127.0.0.1",
                        "port": self.mail.port,
                        "extra": {"disable_ssl": True, "disable_tls": True},
                    }
                ),
                "AIRFLOW_CONN_TEST_HOOK": f"http://127.0.0.1:{self.webhook.port}/alerts",
                "AIRFLOW_CONN_TEST_SLACK": json.dumps(
                    {
                        "conn_type": "http",
                        "host": f"http://127.0.0.1:{self.slack.port}/services",
                        "password": SLACK_TOKEN,
                    }
                ),
            },
            on_interrupted=lambda run_id: None,
        )
        self.api.pause(DAG_ID, paused=False)

    def configure(
        self,
        directory: Path,
        master: str,
        *,
        site_port: int | None = None,
        stop: bool = False,
        always_allowed: int = 5,
        approvers: str = "",
        schedule: str = "",
        alerts: str = "",
        filters: str = "",
    ) -> None:
        """Write the configuration of a mirror in ``directory``, which has no ledger yet.

        ``schedule`` and ``alerts`` are further lines of those sections, ``filters`` further sections.
        """
        self.conf.write_text(
            CONF.format(
                directory=directory,
                master=master,
                ledger="" if self.new_database is None else f"url = {self.new_database()}",
                stop_on_error=str(stop).lower(),
                always_allowed=always_allowed,
                approvers=approvers,
                site=str(site_port is not None).lower(),
                port=site_port or 8080,
                schedule=schedule,
                alerts=alerts,
                filters=filters,
                hour=self.daily_at.hour,
                minute=self.daily_at.minute,
            )
        )

    def run(self, params: Mapping[str, Any] | None = None) -> str:
        """Trigger a run, wait for its end and return its run id."""
        run_id = self.api.trigger(DAG_ID, params or {})
        self.wait(run_id)
        return run_id

    def wait(self, run_id: str, dag_id: str = DAG_ID) -> str:
        """Wait for the end of a run and return how it ended."""
        ended: list[str] = []

        def has_ended() -> bool:
            ended[:] = [self.api.run_state(dag_id, run_id)]
            return ended[0] in FINISHED

        self.await_(has_ended, lambda: [(t.task_id, t.state) for t in self.api.tasks(dag_id, run_id)])
        return ended[0]

    def await_(
        self, condition: Callable[[], bool], otherwise: Callable[[], object], every: float = 0.3
    ) -> None:
        """As ``wait_until``; an Airflow of which a part has ended by itself is not waited for."""

        def is_there() -> bool:
            try:
                self.stack.require_alive()
            except StackError as error:
                pytest.fail(f"{error}\n{_last_lines(error.log)}")
            return condition()

        def said() -> str:
            log = self.stack.services.log(SCHEDULER)
            return f"{otherwise()}\nunhealthy: {self.api.unhealthy()}\n{log}\n{_last_lines(log)}"

        wait_until(is_there, said, every)

    def end_runs(self) -> None:
        """Fail whatever is under way, and let the schedule go on."""
        for run in self.api.runs("~", states=UNFINISHED):
            self.api.fail_run(run["dag_id"], run["dag_run_id"])
        self.api.pause(DAG_ID, paused=False)

    def until(self, condition: Callable[[], bool], run_id: str) -> None:
        """Wait until ``condition``; the run ``run_id`` is shown when it does not come."""
        self.await_(condition, lambda: self.states(run_id), every=0.1)

    def states(self, run_id: str) -> dict[str, list[str | None]]:
        """The states of each task, by map index."""
        found: dict[str, list[str | None]] = {}
        for task in sorted(self.api.tasks(DAG_ID, run_id), key=lambda t: t.map_index):
            found.setdefault(task.task_id, []).append(task.state)
        return found

    def notified(self, run_id: str) -> tuple[str, dict[str, Any]]:
        """The text of the one mail and the one webhook call about a run; fails when there is not one each.

        The webhook is called last; what came twice would be there by the time it is.
        """
        calls: list[dict[str, Any]] = []

        def is_notified() -> bool:
            calls[:] = [body for _, body in self.webhook.calls if body["run"] == run_id]
            return bool(calls)

        self.await_(is_notified, lambda: "the webhook was not called")
        mails = [m for m in self.mail.messages if run_id in m["Subject"]]
        assert len(calls) == 1
        assert len(mails) == 1
        part = mails[0].get_body(("html",)) or next(iter(mails[0].iter_parts()))
        return f"{mails[0]['Subject']}\n{part.get_content()}", calls[0]

    @contextmanager
    def mirror(self) -> Iterator[Mirror]:
        with open_mirror(read_settings(self.conf)) as mirror:
            yield mirror

    def ledger_run(self, run_id: str) -> Run:
        with self.mirror() as mirror:
            run = mirror.ledger.runs.labelled(run_id)
        assert run is not None
        return run

    def cursor(self) -> int | None:
        with self.mirror() as mirror:
            return mirror.ledger.facts.cursor
