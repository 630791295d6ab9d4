"""A run that leaves a part of its plan to a later one is paused: download-window is closed, the plan is
larger than a run takes, or the rules were edited meanwhile.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from pypi_mirror.clock import time_zone
from pypi_mirror.facts.values import Pause
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind
from pypi_mirror.options.download_window import DownloadWindow
from pypi_mirror.planning.bounds import bounding_option
from pypi_mirror.planning.to_do import Left
from pypi_mirror.wording import count, size

_MIDNIGHT: Final = 24 * 60
# A weekly window that the clock's change leaves out entirely comes again a week later.
_DAYS_AHEAD: Final = 15

RULES_CHANGED: Final = "the rules changed (mirror.conf or a requirement file) after this run was planned"


def closed_until(windows: Sequence[DownloadWindow], timezone: str, now: float) -> datetime | None:
    """When the next of ``windows`` opens, in ``timezone``; None while one is open or where there are none.

    ``now`` is in seconds since 1970, ``timezone`` the IANA name of the zone that the windows are in.
    """
    if not windows:
        return None
    zone = time_zone(timezone)
    moment = datetime.fromtimestamp(now, UTC)
    today = moment.astimezone(zone).date()
    # Asked before every project: what begins later than today matters only where none is open.
    if any(start <= moment < end for start, end in _stretches(windows, zone, today, range(-1, 1))):
        return None
    coming = (start for start, _ in _stretches(windows, zone, today, range(_DAYS_AHEAD + 1)))
    return min(start for start in coming if start > moment).astimezone(zone)


def _stretches(
    windows: Sequence[DownloadWindow], zone: tzinfo, today: date, ahead: range
) -> Iterator[tuple[datetime, datetime]]:
    """[start, end) in UTC of each window that begins so many days ``ahead`` of ``today``."""
    for day in (today + timedelta(days=number) for number in ahead):
        for window in windows:
            if day.weekday() in window.days:
                ends_next_day = window.end <= window.start
                start = _instant(zone, day, window.start)
                end = _instant(zone, day, window.end + _MIDNIGHT * ends_next_day)
                if start < end:
                    yield start, end


def _instant(zone: tzinfo, day: date, minute: int) -> datetime:
    """When the clock shows ``minute`` minutes since the midnight with which ``day`` begins."""
    days, minute = divmod(minute, _MIDNIGHT)
    wall = datetime.combine(day + timedelta(days=days), time(*divmod(minute, 60)), zone)
    return wall.astimezone(UTC)


class PauseWatch:
    """Call it to hear why a batch has to stop downloading, None while it may; ``pause`` is until when.

    Projects that a person names, backfills and audits download at any hour: no later run would go on.
    """

    def __init__(self, mirror: Mirror, run: Run) -> None:
        self._mirror = mirror
        self._run_id = run.id
        schedule = mirror.settings.schedule
        waits = run.request.kind is RunKind.SYNC and not run.request.any_hour
        self._windows = schedule.download_window if waits else ()
        self._timezone = schedule.timezone
        self.pause: Pause | None = None

    def __call__(self) -> str | None:
        if self.pause is None:
            until = closed_until(self._windows, self._timezone, self._mirror.clock())
            if until is not None:
                self.pause = Pause(run_id=self._run_id, until=int(until.timestamp()))
        return None if self.pause is None else "the download window is closed"


def is_edited(mirror: Mirror, run: Run) -> bool:
    """Whether the rules have changed since the run was planned: the guard has not weighed what they do."""
    return run.policy not in (None, mirror.selection)


def pause_of(mirror: Mirror, run_id: int) -> Pause | None:
    """None when no batch of the run has left anything to a later one."""
    pause = mirror.ledger.facts.pause
    return pause if pause is not None and pause.run_id == run_id else None


def paused_until(mirror: Mirror) -> datetime | None:
    """When the mirror goes on with what it has left, None when it has left nothing or may go on by now."""
    pause = mirror.ledger.facts.pause
    if pause is None or pause.until is None or pause.until <= mirror.clock():
        return None
    return datetime.fromtimestamp(pause.until, UTC)


def described(mirror: Mirror, run_id: int, *, done: int, planned: int, left: Left | None) -> str:
    """``paused until 2026-11-22 22:00 CET ([schedule] download-window): 512 of 2,000 projects done``, or
    ``paused by [schedule] projects-per-run: 500 of 2,000 projects done; 1,500 projects left (about
    2.3 GB, 3 more runs)``, or ``paused because the rules changed …``.
    """
    of_all = f"{done:,} of {planned:,} projects done"
    pause = pause_of(mirror, run_id)
    if pause is not None and pause.until is not None:
        until = datetime.fromtimestamp(pause.until, time_zone(mirror.settings.schedule.timezone))
        return f"paused until {until:%Y-%m-%d %H:%M %Z} ([schedule] download-window): {of_all}"
    if pause is not None:
        return f"paused because {RULES_CHANGED}; the next run plans with the new rules: {of_all}"
    rest = "" if left is None else f"; {described_left(left)}"
    return f"paused by [schedule] {bounding_option(mirror, run_id)}: {of_all}{rest}"


def described_left(left: Left) -> str:
    """``1,500 projects left (about 2.3 GB, 3 more runs)``."""
    projects, *estimates = _parts(left)
    return f"{projects} left" + (f" ({', '.join(estimates)})" if estimates else "")


def estimate(left: Left) -> str:
    """``1,500 projects, about 2.3 GB, 3 more runs``."""
    return ", ".join(_parts(left))


def _parts(left: Left) -> list[str]:
    parts = [count(left.projects, "project")]
    if left.bytes is not None:
        parts.append(f"about {size(left.bytes)}")
    if left.runs is not None:
        parts.append(count(left.runs, "more run"))
    return parts
