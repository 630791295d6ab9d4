"""A run that leaves a part of its plan to a later one is paused: download-window is closed, the plan is
larger than a run takes, or the rules were edited meanwhile.
"""

from datetime import UTC, datetime
from typing import Final

import pendulum

from pypi_mirror.facts.values import Pause
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind
from pypi_mirror.planning.bounds import bounding_option
from pypi_mirror.planning.download_window import closed_until
from pypi_mirror.planning.to_do import Left
from pypi_mirror.wording import count, size

RULES_CHANGED: Final = "the rules changed (mirror.conf or a requirement file) after this run was planned"


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
        until = datetime.fromtimestamp(pause.until, pendulum.timezone(mirror.settings.schedule.timezone))
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
