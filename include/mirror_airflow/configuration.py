"""Which mirror.conf the DAGs use, and what they do when it cannot be used.

A DAG file that raises disappears from Airflow's UI, its runs stop and nobody is notified. So a mistake in
the configuration leaves the DAG there, on its default schedule, with the mistakes on its page; each run
fails in its first task with the same words, and the people are notified whom the file still names.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from pypi_mirror.errors import ConfigurationError
from pypi_mirror.settings.cooldown import CooldownSchedule
from pypi_mirror.settings.locate import configuration_path
from pypi_mirror.settings.read import read_alerts, read_settings
from pypi_mirror.settings.values import Alerts, Audit, RemovalGuard, Schedule, Settings

UNSCHEDULED_VARIABLE = "PYPI_MIRROR_UNSCHEDULED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a DAG file knows of the mirror when it is parsed; ``mistakes`` is empty when all is well."""

    path: Path
    schedule: Schedule
    alerts: Alerts
    audit: Audit
    cooldown: CooldownSchedule
    settings: Settings | None
    mistakes: tuple[str, ...] = ()

    @property
    def batches_at_once(self) -> int:
        workers = self.schedule.batches_at_once if self.settings is None else self.settings.workers
        return min(self.schedule.batches_at_once, workers)

    @property
    def cooldown_cron(self) -> str | None:
        """When files that are due are listed; None where none waits."""
        is_on = self.settings is not None and self.settings.policy.holds
        return self.cooldown.cron if is_on else None

    @property
    def mirror_name(self) -> str:
        """What people know the mirror by: its address, or its configuration file where that is unusable."""
        return self.path.name if self.settings is None else self.settings.site.public_url

    @property
    def guard(self) -> RemovalGuard:
        return RemovalGuard() if self.settings is None else self.settings.guard


def load_configuration() -> Configuration:
    """What the file says, for parsing a DAG; never raises for what an administrator wrote.

    With ``PYPI_MIRROR_UNSCHEDULED`` set, runs start by hand only: if Airflow is started for one run,
    a scheduled run must not come first.
    """
    path, settings = configuration_path(), None
    mistakes: tuple[str, ...] = ()
    try:
        settings = read_settings(path)
        schedule, audit, cooldown = settings.schedule, settings.audit, settings.cooldown
        alerts = settings.alerts
    except ConfigurationError as error:
        mistakes = tuple(str(error).splitlines())
        schedule, audit, cooldown = Schedule(), Audit(), CooldownSchedule()
        alerts = read_alerts(path)
    if os.environ.get(UNSCHEDULED_VARIABLE):
        schedule, audit = replace(schedule, cron=None), replace(audit, cron=None)
        cooldown, alerts = replace(cooldown, cron=None), replace(alerts, watch_cron=None)
    return Configuration(
        path=path,
        schedule=schedule,
        alerts=alerts,
        audit=audit,
        cooldown=cooldown,
        settings=settings,
        mistakes=mistakes,
    )
