"""Beside runs: whether a person is needed, and what people were told of that.

A message is in the ledger before it is sent, and leaves it when it was: whoever dies in between leaves it to
the next watch, and two that see the same send it once.
"""

import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from pypi_mirror.alerts.conditions import Parked, Replaced
from pypi_mirror.alerts.notification_state import (
    AlertState,
    Notice,
    Unsent,
    after,
    delivered,
    due,
    enqueued,
    notices,
    tell_once,
)
from pypi_mirror.alerts.observation import DiskSight, EndedRun, RunningRun, Sight, WaitingPlan
from pypi_mirror.alerts.rules import conditions
from pypi_mirror.changes.watch import last_look, look_upstream
from pypi_mirror.errors import FileReplaced
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.observing.history import disk_forecast
from pypi_mirror.observing.overview import Overview, overview
from pypi_mirror.observing.sample import take_sample
from pypi_mirror.publishing.write_metrics import write_metrics
from pypi_mirror.wording import count, size

FACT: Final = "alerts"
_MOST_REPLACED: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something that whoever saw it tells of: ``key`` is of the condition it begins, ``about`` names it."""

    key: str
    about: str
    title: str


def raise_alerts(
    mirror: Mirror, *, compose: Callable[[Notice], str], channels: Sequence[str]
) -> tuple[Unsent, ...]:
    """Ask upstream, take a sample, and see what people have to be told; returns what is to be sent now.

    ``compose`` makes the message of a notice. What is returned goes through ``sent`` after each attempt. No
    lease is taken: runs go on meanwhile.
    """
    look_upstream(mirror)
    take_sample(mirror)
    sight, limits = sight_of(mirror), mirror.settings.alerts
    to_send: tuple[Unsent, ...] = ()

    def changed(state: AlertState) -> AlertState:
        nonlocal to_send
        found = conditions(sight, limits, state.told)
        if not channels:
            # Nobody is told: what holds is news to the first channel that there is.
            return state
        given = notices(state, found, now=sight.now, repeat_after=round(limits.repeat_after * 3600))
        new = tuple(_unsent(mirror, compose(notice), channels) for notice in given)
        to_send = (*due(state, now=sight.now), *new)
        return enqueued(after(state, found, given, now=sight.now), new)

    _change(mirror, changed)
    # A full disk is told of, though it takes no figures any more.
    with suppress(OSError):
        write_metrics(mirror)
    return to_send


def tell(mirror: Mirror, happened: Happened, *, message: str, channels: Sequence[str]) -> Unsent | None:
    """Note that ``message`` tells of what happened; None when that was told before."""
    unsent = _unsent(mirror, message, channels)
    is_news = True

    def changed(state: AlertState) -> AlertState:
        nonlocal is_news
        told = tell_once(state, happened.key, about=happened.about, title=happened.title, now=unsent.at)
        is_news = told is not None
        return state if told is None or not channels else enqueued(told, (unsent,))

    _change(mirror, changed)
    return unsent if is_news else None


def sent(mirror: Mirror, unsent: Unsent, *, still: Sequence[str]) -> None:
    """Note an attempt at a message: it has still to go to the channels ``still``."""
    now = int(mirror.clock())
    _change(mirror, lambda state: delivered(state, unsent.id, still=still, now=now))


def known_parked(mirror: Mirror) -> frozenset[str]:
    """The parked projects that people were told of, as ``about_parked`` writes them."""
    told = alert_state(mirror).told.get("projects-parked")
    return frozenset() if told is None else frozenset(told.about)


def alert_state(mirror: Mirror) -> AlertState:
    return _decoded(mirror.ledger.facts.get(FACT))


def sight_of(mirror: Mirror) -> Sight:
    """The mirror as it was last seen; asks nobody."""
    seen, forecast = overview(mirror), disk_forecast(mirror)
    return Sight(
        now=int(mirror.clock()),
        master=mirror.settings.master,
        cursor=seen.cursor,
        upstream_serial=seen.upstream_serial,
        lag_seconds=seen.lag_seconds,
        silent_since=_seconds(seen.upstream_silent_since),
        trouble=last_look(mirror).trouble,
        disk=DiskSight(
            path=seen.disk.path,
            free=seen.disk.free,
            reserve=seen.disk.reserve,
            full_at=_seconds(forecast.full_at),
            bytes_a_day=forecast.bytes_a_day,
        ),
        last_sync=_ended(mirror.ledger.runs.last_ended(RunKind.SYNC)),
        last_audit=_ended(mirror.ledger.runs.last_ended(RunKind.AUDIT)),
        running=_running(mirror),
        paused_until=_seconds(seen.paused_until),
        waiting=_waiting(seen),
        parked=tuple(
            Parked(project=entry.project, error=entry.error, reason=entry.reason)
            for entry in mirror.ledger.backlog.parked()
        ),
        replaced=_replaced(mirror),
    )


def _replaced(mirror: Mirror) -> tuple[Replaced, ...]:
    """Files that upstream offers other bytes of, as far as pages lack them or a project has no page."""
    found = [
        Replaced(project=each.project, filename=each.part.filename or "", reason=each.part.reason)
        for each in mirror.ledger.left_out.failed_with(FileReplaced.__name__, limit=_MOST_REPLACED)
    ]
    paged = {each.project for each in found}
    found += [
        Replaced(project=entry.project, filename="a file of it", reason=entry.reason)
        for entry in mirror.ledger.backlog.failed()
        if entry.error == FileReplaced.__name__ and entry.project not in paged
    ]
    return tuple(found)


def _running(mirror: Mirror) -> RunningRun | None:
    latest = next(iter(mirror.ledger.runs.latest(audits=False)), None)
    if latest is None or latest.state is not RunState.RUNNING:
        return None
    return RunningRun(label=latest.request.label, started_at=latest.started_at)


def _waiting(seen: Overview) -> WaitingPlan | None:
    plan = seen.waiting
    if plan is None:
        return None
    removes = f"{count(plan.projects, 'project')}, {count(plan.files, 'file')} ({size(plan.bytes)})"
    return WaitingPlan(label=plan.run, plan=plan.plan, removes=removes, exceeded=plan.exceeded)


def _ended(run: Run | None) -> EndedRun | None:
    if run is None or run.finished_at is None:
        return None
    reason = None if run.outcome is None else run.outcome.reason
    return EndedRun(
        label=run.request.label,
        failed=run.state is RunState.FAILED,
        finished_at=run.finished_at,
        reason=reason or "no reason is known",
    )


def _unsent(mirror: Mirror, message: str, channels: Sequence[str]) -> Unsent:
    return Unsent(id=uuid.uuid4().hex, message=message, channels=tuple(channels), at=int(mirror.clock()))


def _change(mirror: Mirror, changed: Callable[[AlertState], AlertState]) -> None:
    def rewritten(text: str | None) -> str:
        return msgspec.json.encode(changed(_decoded(text))).decode()

    mirror.ledger.facts.change(FACT, rewritten)


def _decoded(text: str | None) -> AlertState:
    return AlertState() if text is None else msgspec.json.decode(text, type=AlertState)


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
