"""The watch: checks the mirror, with or without runs, and notifies people when one is needed."""

import json
import logging
import time
from typing import TYPE_CHECKING

from airflow.sdk import Context, Param, Variable
from airflow.sdk.exceptions import AirflowException

from mirror_airflow.alerts.channels import channels, not_sent, send, send_by
from mirror_airflow.alerts.message import Message, Status
from mirror_airflow.configuration import Configuration, load_configuration
from mirror_airflow.dag_page import switch
from mirror_airflow.links import link_to_page, link_to_run
from mirror_airflow.run_label import run_of
from mirror_airflow.task_errors import RunFailed

if TYPE_CHECKING:
    from pypi_mirror.alerts.notification_state import Notification
    from pypi_mirror.mirror import Mirror

log = logging.getLogger(__name__)

# The Airflow variable that remembers a failed watch: it cannot be in the ledger, which may be what failed.
FAILED_VARIABLE = "pypi_mirror_watch_blind"
WATCH_FAILED, TEST = "watch-failed", "test"
TRIES = 2

PAGE = """\
Notifies people when one of them is needed: the mirror has been behind upstream for too long (also when no
run happens), upstream is unreachable, the disk fills up, a run failed or takes too long, a plan is awaiting
approval, projects are parked. They are notified when it starts, {reminders}and when it is over. Failed
deliveries are retried.

- configuration: `{path}`, section `[alerts]`
- schedule: {cron}
- notified by: {people}

Runs and audits go on meanwhile. To try the channels, trigger this DAG with *Send a test message*.

Mistakes in the configuration; while there are any, people are notified of them alone:

{mistakes}
"""


def watch_form() -> dict[str, Param]:
    """The parameters of a watch that is started by hand."""
    return {
        "test_message": switch(
            "Send a test message",
            "Send a message by every channel in [alerts], and check nothing. If a channel fails, "
            "the run fails and says why.",
        )
    }


def watch_page(configuration: Configuration) -> str:
    """Markdown: what this DAG does, and how it is configured or why it cannot run."""
    alerts = configuration.alerts
    cron = (
        f"`{alerts.watch_cron}` ({configuration.schedule.timezone})" if alerts.watch_cron else "by hand only"
    )
    return PAGE.format(
        reminders=f"every {alerts.repeat_after:g} hours while it lasts, " if alerts.repeat_after else "",
        path=configuration.path,
        cron=cron,
        people=", ".join(channels(alerts)) or "nobody",
        mistakes="\n".join(f"    {mistake}" for mistake in configuration.mistakes) or "    none",
    )


def watch(context: Context) -> dict[str, int]:
    """Notify people of what is due; return how many messages were sent, and how many alerts are active.

    Raises RunFailed when a channel failed, and the error that keeps the ledger from being opened.
    """
    from pypi_mirror.errors import MirrorError
    from pypi_mirror.mirror import has_mirror

    configuration = load_configuration()
    if context["params"]["test_message"]:
        return _send_test(configuration, context)
    settings = configuration.settings
    try:
        if settings is not None and not has_mirror(settings):
            log.info("%s: there is no mirror yet, nothing to watch", settings.directory)
            return {"notified": 0, "active": 0}
        figures = _watch(configuration, context)
    except (MirrorError, OSError) as error:
        if not (getattr(error, "retryable", False) and context["ti"].try_number <= TRIES):
            _notify_failed_watch(configuration, error, context)
        raise
    _notify_recovered_watch(configuration, context)
    return figures


def notification_message(notification: "Notification", mirror: str) -> Message:
    """The message of ``notification`` about the mirror that people know as ``mirror``."""
    from pypi_mirror.alerts.conditions import ENDED
    from pypi_mirror.alerts.notification_state import Phase
    from pypi_mirror.wording import moment_of

    condition, since = notification.condition, moment_of(notification.since)
    if condition is None:
        over = ENDED[notification.key]
        return Message(
            alert=notification.key,
            status=Status.RESOLVED,
            title=over,
            summary=f"The mirror {mirror}: {over}.",
            mirror=mirror,
            link=link_to_page(),
            details=(f"it was: {notification.title}", f"first notified: {since}"),
        )
    run = None if condition.label is None else run_of(condition.label)
    reminder = (f"first notified: {since}",) if notification.phase is Phase.ONGOING else ()
    return Message(
        alert=notification.key,
        title=notification.title,
        summary=f"The mirror {mirror}: {notification.title}.",
        mirror=mirror,
        link=link_to_page() if run is None else link_to_run(*run),
        run=condition.label,
        details=(*condition.details, *reminder),
        advice=(condition.advice,),
    )


def _watch(configuration: Configuration, context: Context) -> dict[str, int]:
    from mirror_airflow.task_mirror import task_mirror

    with task_mirror() as mirror:
        return _notify_due(mirror, configuration, context)


def _notify_due(mirror: "Mirror", configuration: Configuration, context: Context) -> dict[str, int]:
    from pypi_mirror.runs.raise_alerts import note_delivery, notification_state, raise_alerts
    from pypi_mirror.wording import count

    alerts, name = mirror.settings.alerts, configuration.mirror_name
    pending = raise_alerts(
        mirror,
        compose=lambda notification: notification_message(notification, name).encoded(),
        channels=channels(alerts),
    )
    failures: dict[str, str] = {}
    for each in pending:
        message = Message.decoded(each.message)
        log.warning("%s", message.text())
        failed = send_by(each.channels, message, alerts, context)
        note_delivery(mirror, each, failed=tuple(failed))
        failures |= failed
    active = notification_state(mirror).notified
    log.info("%s sent, %s", count(len(pending), "message"), count(len(active), "active alert"))
    for key, known in active.items():
        log.info("active: %s: %s", key, known.title)
    if failures:
        raise RunFailed(f"{not_sent(failures)}; the next watch retries it")
    return {"notified": len(pending), "active": len(active)}


def _send_test(configuration: Configuration, context: Context) -> dict[str, int]:
    names = channels(configuration.alerts)
    if not names:
        raise RunFailed(f"{configuration.path}: [alerts] has no channel for a test message")
    name = configuration.mirror_name
    message = Message(
        alert=TEST,
        status=Status.TEST,
        title="a test message",
        summary=f"This is a test message about the mirror {name}; nothing is wrong.",
        mirror=name,
        link=link_to_page(),
        run=context["run_id"],
    )
    try:
        send(message, configuration.alerts, context)
    except AirflowException as error:
        raise RunFailed(str(error)) from error
    log.info("a test message was sent by %s", ", ".join(names))
    return {"notified": len(names), "active": 0}


def _notify_failed_watch(configuration: Configuration, error: Exception, context: Context) -> None:
    """Notify people that the mirror cannot be watched, with reminders."""
    from mirror_airflow.alerts.advice import advice_for

    now, known = time.time(), Variable.get(FAILED_VARIABLE, default=None)
    before = None if known is None else json.loads(known)
    repeat_after = configuration.alerts.repeat_after * 3600
    if before is not None and not (repeat_after and now - before["told_at"] >= repeat_after):
        return
    name, reason = configuration.mirror_name, f"{type(error).__name__}: {error}"
    message = Message(
        alert=WATCH_FAILED,
        title="the mirror cannot be watched",
        summary=f"The mirror {name} cannot be watched.",
        mirror=name,
        link=link_to_run(context["dag"].dag_id, context["run_id"]),
        run=context["run_id"],
        details=tuple(reason.splitlines()),
        advice=advice_for((type(error).__name__,)),
    )
    try:
        send(message, configuration.alerts, context)
    except AirflowException as failure:
        # Not remembered, so the next watch that fails sends it.
        log.error("%s", failure)
        return
    Variable.set(FAILED_VARIABLE, json.dumps({"told_at": now}))


def _notify_recovered_watch(configuration: Configuration, context: Context) -> None:
    if Variable.get(FAILED_VARIABLE, default=None) is None:
        return
    name = configuration.mirror_name
    message = Message(
        alert=WATCH_FAILED,
        status=Status.RESOLVED,
        title="the mirror is watched again",
        summary=f"The mirror {name} is watched again.",
        mirror=name,
        link=link_to_page(),
    )
    try:
        send(message, configuration.alerts, context)
    except AirflowException as error:
        raise RunFailed(f"{error}; the next watch retries it") from error
    Variable.delete(FAILED_VARIABLE)
