"""A look at the mirror beside its runs: is a person needed, who does not know it yet?"""

import json
import logging
import time
from typing import TYPE_CHECKING

from airflow.sdk import Context, Param, Variable
from airflow.sdk.exceptions import AirflowException

from mirror_airflow.channels import channels
from mirror_airflow.configuration import Configuration, load_configuration
from mirror_airflow.message import Message, Status
from mirror_airflow.run_label import run_of
from mirror_airflow.task_errors import RunFailed

if TYPE_CHECKING:
    from pypi_mirror.alerts.notification_state import Notice
    from pypi_mirror.mirror import Mirror

log = logging.getLogger(__name__)

# Where a watch that cannot open the ledger remembers that it told so: not in the ledger.
BLIND = "pypi_mirror_watch_blind"
WATCH_FAILED, TEST = "watch-failed", "test"
TRIES = 2

PAGE = """\
Looks whether a person is needed: the mirror is behind upstream for too long (also when no run happens),
upstream is out of reach, the disk fills up, a run failed or takes too long, a plan waits for approval,
projects are parked. Each is told once when it begins, again every {repeat:g} hours while it lasts, and once
when it is over. What could not be sent is tried again.

- configuration: `{path}`, section `[alerts]`
- schedule: {cron}
- told: {people}

It takes no lease: runs and audits go on meanwhile. Trigger it with *Send a test message* to try the channels.

Mistakes in the configuration; with any, nothing but themselves is told:

{mistakes}
"""


def watch_form() -> dict[str, Param]:
    """The parameters of a watch that is started by hand."""
    return {
        "test_message": Param(
            False,
            type=["null", "boolean"],
            title="Send a test message",
            description="Send a message by every channel that [alerts] names, and nothing else; the run "
            "fails where one does not take it, and says why.",
        )
    }


def watch_page(configuration: Configuration) -> str:
    """Markdown: what this DAG does, and how it is configured or why it cannot run."""
    alerts = configuration.alerts
    cron = (
        f"`{alerts.watch_cron}` ({configuration.schedule.timezone})" if alerts.watch_cron else "by hand only"
    )
    return PAGE.format(
        repeat=alerts.repeat_after,
        path=configuration.path,
        cron=cron,
        people=", ".join(channels(alerts)) or "nobody",
        mistakes="\n".join(f"    {mistake}" for mistake in configuration.mistakes) or "    none",
    )


def watch(context: Context) -> dict[str, int]:
    """Tell what there is to tell; returns how many messages went out, and how many conditions hold.

    Raises RunFailed when a channel failed, and what keeps the ledger from being opened.
    """
    from pypi_mirror.errors import MirrorError
    from pypi_mirror.mirror import has_mirror

    configuration = load_configuration()
    if context["params"]["test_message"]:
        return _test(configuration, context)
    settings = configuration.settings
    try:
        if settings is not None and not has_mirror(settings):
            log.info("%s: no mirror is here yet, there is nothing to watch", settings.directory)
            return {"told": 0, "holds": 0}
        figures = _watched(configuration, context)
    except (MirrorError, OSError) as error:
        if not (getattr(error, "retryable", False) and context["ti"].try_number <= TRIES):
            _tell_blind(configuration, error, context)
        raise
    _see_again(configuration, context)
    return figures


def notice_message(notice: "Notice", mirror: str) -> Message:
    """What people are told of ``notice``."""
    from mirror_airflow.run_failed import link_to_page, link_to_run
    from pypi_mirror.alerts.conditions import BY_KEY
    from pypi_mirror.alerts.notification_state import Phase
    from pypi_mirror.wording import moment_of

    since = moment_of(notice.since)
    if notice.condition is None:
        over = BY_KEY[notice.key].ended
        return Message(
            alert=notice.key,
            status=Status.RESOLVED,
            title=over,
            summary=f"The mirror {mirror}: {over}.",
            mirror=mirror,
            link=link_to_page(),
            details=(f"first told at {since}: {notice.title}",),
        )
    label = getattr(notice.condition, "label", None)
    run = None if label is None else run_of(label)
    again = (f"first told at {since}",) if notice.phase is Phase.LASTS else ()
    return Message(
        alert=notice.key,
        title=notice.title,
        summary=f"The mirror {mirror}: {notice.title}.",
        mirror=mirror,
        link=link_to_page() if run is None else link_to_run(*run),
        run=label,
        details=(*notice.condition.details, *again),
        advice=(notice.condition.advice,),
    )


def _watched(configuration: Configuration, context: Context) -> dict[str, int]:
    from mirror_airflow.task_mirror import task_mirror

    with task_mirror() as mirror:
        return _told(mirror, configuration, context)


def _told(mirror: "Mirror", configuration: Configuration, context: Context) -> dict[str, int]:
    from mirror_airflow.alerts import send_by, unsent_words
    from mirror_airflow.run_failed import mirror_name
    from pypi_mirror.runs.raise_alerts import alert_state, raise_alerts, sent

    alerts, name = mirror.settings.alerts, mirror_name(configuration)
    waiting = raise_alerts(
        mirror,
        compose=lambda notice: notice_message(notice, name).encoded(),
        channels=channels(alerts),
    )
    failures: dict[str, str] = {}
    for unsent in waiting:
        message = Message.decoded(unsent.message)
        log.warning("%s", message.text())
        failed = send_by(unsent.channels, message, alerts, context)
        sent(mirror, unsent, still=tuple(failed))
        failures |= failed
    state = alert_state(mirror)
    for key, told in state.told.items():
        log.info("holds: %s: %s", key, told.title)
    if failures:
        raise RunFailed(f"{unsent_words(failures)}; the next watch tries it again")
    return {"told": len(waiting), "holds": len(state.told)}


def _test(configuration: Configuration, context: Context) -> dict[str, int]:
    from mirror_airflow.alerts import send
    from mirror_airflow.run_failed import link_to_page, mirror_name

    names = channels(configuration.alerts)
    if not names:
        raise RunFailed(f"{configuration.path}: [alerts] names nobody to send a test message to")
    name = mirror_name(configuration)
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
    return {"told": len(names), "holds": 0}


def _tell_blind(configuration: Configuration, error: Exception, context: Context) -> None:
    """Tell that the mirror cannot be watched, once and again after a time."""
    from mirror_airflow.advice import advice_for
    from mirror_airflow.alerts import send
    from mirror_airflow.run_failed import link_to_run, mirror_name

    now, known = time.time(), Variable.get(BLIND, default=None)
    before = None if known is None else json.loads(known)
    repeat_after = configuration.alerts.repeat_after * 3600
    if before is not None and not (repeat_after and now - before["told_at"] >= repeat_after):
        return
    name, reason = mirror_name(configuration), f"{type(error).__name__}: {error}"
    message = Message(
        alert=WATCH_FAILED,
        title="the mirror cannot be watched",
        summary=f"The mirror {name} cannot be watched.",
        mirror=name,
        link=link_to_run(context["dag"].dag_id, context["run_id"]),
        run=context["run_id"],
        details=tuple(reason.splitlines()),
        advice=advice_for((reason,)),
    )
    try:
        send(message, configuration.alerts, context)
    except AirflowException as unsent:
        # Not remembered as told: the next watch that is blind tries again.
        log.error("%s", unsent)
        return
    Variable.set(BLIND, json.dumps({"told_at": now}))


def _see_again(configuration: Configuration, context: Context) -> None:
    from mirror_airflow.alerts import send
    from mirror_airflow.run_failed import link_to_page, mirror_name

    if Variable.get(BLIND, default=None) is None:
        return
    name = mirror_name(configuration)
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
        raise RunFailed(f"{error}; the next watch tries it again") from error
    Variable.delete(BLIND)
