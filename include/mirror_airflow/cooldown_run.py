"""A run of ``pypi_mirror_cooldown``: its page, its label, and what a busy mirror means to it."""

import logging
from typing import TYPE_CHECKING

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from mirror_airflow.configuration import Configuration
from pypi_mirror.errors import MirrorBusy
from pypi_mirror.run_label import cooldown_label

if TYPE_CHECKING:
    from pypi_mirror.mirror import Mirror

log = logging.getLogger(__name__)

PAGE = """\
Lists new files whose cooldown is over (`[cooldown] exclude-newer`). Takes seconds, and
asks upstream only for the time.

- configuration: `{path}`
- schedule: {cron}

Skipped while a run of `pypi_mirror` or an audit is under way: a sync lists what is due, too.
"""


def cooldown_page(configuration: Configuration) -> str:
    """Markdown: what this DAG does."""
    cron = configuration.cooldown_cron
    said = f"`{cron}` ({configuration.schedule.timezone})" if cron else "by hand only"
    return PAGE.format(path=configuration.path, cron=said)


def end_due(mirror: "Mirror", run_id: str) -> int:
    """List what is due; return of how many projects. Raises AirflowSkipException where nothing is to do."""
    from mirror_airflow.task_log import require_success
    from pypi_mirror.runs.publish_due import publish_due

    try:
        outcome = publish_due(mirror, cooldown_label(run_id))
    except MirrorBusy as busy:
        raise AirflowSkipException(f"{busy}; the next run lists what is due") from busy
    if outcome is None:
        raise AirflowSkipException("no file is due")
    return require_success(outcome)["projects"]


def notify_failed_cooldown(context: Context) -> None:
    """The DAG's ``on_failure_callback``."""
    from mirror_airflow.alerts.failed_run import notify_failed_run

    notify_failed_run(context, label=cooldown_label(context["run_id"]))
