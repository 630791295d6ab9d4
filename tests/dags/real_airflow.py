"""A real Airflow for the tests of the DAG: its scheduler, its API, mail and webhook to complain to."""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_stack.airflow_api import AirflowApi
from local_stack.stack import Stack
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.settings.read import read_settings
from tests.dags.receivers import MailServer, Webhook

DAG_ID = "pypi_mirror"
AUDIT_ID = "pypi_mirror_audit"
FINISHED = ("success", "failed")
PATIENCE = 120.0

# Once a month: it makes a DAG one that can be backfilled, and starts a single run when it is unpaused.
CONF = """\
[mirror]
directory = {directory}
master = {master}
stop-on-error = {stop_on_error}
workers = 1

[removal]
always-allowed = {always_allowed}

[site]
enabled = {site}
port = {port}

[schedule]
cron = 0 0 1 * *
batch-size = 2
retries = 1
retry-delay = 1

[audit]
cron = 0 0 1 * *

[alerts]
email-to = admin@example.com
email-from = mirror@example.com
smtp-connection = test_mail
webhook-connection = test_hook
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(kw_only=True)
class RealAirflow:
    """The running Airflow; each test writes the configuration that the DAG's tasks read."""

    stack: Stack
    conf: Path
    port: int
    mail: MailServer
    webhook: Webhook
    api: AirflowApi = field(init=False)

    def start(self) -> None:
        """Start Airflow, with the configuration that is there, and let the DAG run."""
        self.api = self.stack.start_airflow(
            port=self.port,
            mirror_conf=self.conf,
            dag_id=DAG_ID,
            extra_env={
                "AIRFLOW_CONN_TEST_MAIL": json.dumps(
                    {
                        "conn_type": "smtp",
                        "host": "127.0.0.1",
                        "port": self.mail.port,
                        "extra": {"disable_ssl": True, "disable_tls": True},
                    }
                ),
                "AIRFLOW_CONN_TEST_HOOK": f"http://127.0.0.1:{self.webhook.port}/alerts",
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
    ) -> None:
        self.conf.write_text(
            CONF.format(
                directory=directory,
                master=master,
                stop_on_error=str(stop).lower(),
                always_allowed=always_allowed,
                site=str(site_port is not None).lower(),
                port=site_port or 8080,
            )
        )

    def run(self, params: Mapping[str, Any] | None = None) -> str:
        """Trigger a run, wait for its end and return its run id."""
        run_id = self.api.trigger(DAG_ID, params or {})
        self.wait(run_id)
        return run_id

    def wait(self, run_id: str, dag_id: str = DAG_ID) -> str:
        end = time.monotonic() + PATIENCE
        while (state := self.api.run_state(dag_id, run_id)) not in FINISHED:
            assert time.monotonic() < end, [(t.task_id, t.state) for t in self.api.tasks(dag_id, run_id)]
            time.sleep(0.3)
        return state

    def states(self, run_id: str) -> dict[str, list[str | None]]:
        """The states of each task, by map index."""
        found: dict[str, list[str | None]] = {}
        for task in sorted(self.api.tasks(DAG_ID, run_id), key=lambda t: t.map_index):
            found.setdefault(task.task_id, []).append(task.state)
        return found

    def told(self, run_id: str) -> tuple[str, dict[str, Any]]:
        """The text of the one mail and the one webhook call about a run; fails when there is not one each.

        The webhook is called last; what came twice would be there by the time it is.
        """
        end = time.monotonic() + PATIENCE
        while not (calls := [body for _, body in self.webhook.calls if body["run"] == run_id]):
            assert time.monotonic() < end, "the webhook was not called"
            time.sleep(0.3)
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
