"""A run that leaves downloads to a later one is paused: download-window is closed, or it had its share."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec
import pendulum
from packaging.utils import NormalizedName

from pypi_mirror.download_window import closed_until
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Action, PlannedProject, RunKind
from pypi_mirror.steps.left_over import Left
from pypi_mirror.steps.turns import is_bounded, urgent_batches
from pypi_mirror.upstream.changelog import takes_files
from pypi_mirror.wording import count, size

_FACT: Final = "paused"
# Seconds between two looks into the ledger at what the other batches have downloaded, at least; and how many
# times as long as such a look takes, which goes through the rows of a plan.
_ASK_EVERY: Final = 3.0
_TIMES_AS_LONG: Final = 20


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Of the run ``run_id``, by download-window or gigabytes-per-run; ``until`` is in seconds since 1970,
    None where any later run goes on.
    """

    run_id: int
    until: int | None = None
    cause: Literal["window", "gigabytes"] = "window"


class PauseWatch:
    """Call it to hear why a batch has to stop downloading, None while it may; ``pause`` is of what kind.

    Projects that a person names, backfills and audits download at any hour and as much as they like: no later
    run would go on. What cannot wait is bound by the window alone.
    """

    def __init__(
        self, mirror: Mirror, run: Run, batch: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._mirror = mirror
        self._run_id = run.id
        self._batch = batch
        schedule = mirror.settings.schedule
        waits = run.request.kind is RunKind.SYNC and not run.request.any_hour
        self._windows = schedule.download_window if waits else ()
        self._timezone = schedule.timezone
        self._urgent = urgent_batches(mirror, run.id)
        bounded = is_bounded(run) and batch >= self._urgent
        self._most = schedule.bytes_per_run if bounded else None
        self._clock = clock
        self._asked: float | None = None
        self._pause_between = _ASK_EVERY
        self._others = 0
        self._mine = 0
        self.pause: Pause | None = None
        if self._most is not None:
            self._mine = mirror.ledger.plan.outcome(run.id, batch).bytes_downloaded

    def __call__(self) -> str | None:
        if self.pause is None:
            self.pause = self._closed() or self._had_its_share()
        if self.pause is None:
            return None
        return (
            "the download window is closed" if self.pause.cause == "window" else "the run has had its share"
        )

    def downloaded(self, bytes_: int) -> None:
        """To be told of each file that is in the pool: only what is there for good is progress."""
        self._mine += bytes_

    def _closed(self) -> Pause | None:
        until = closed_until(self._windows, self._timezone, self._mirror.clock())
        return None if until is None else Pause(run_id=self._run_id, until=int(until.timestamp()))

    def _had_its_share(self) -> Pause | None:
        if self._most is None:
            return None
        if self._asked is None or self._clock() - self._asked >= self._pause_between:
            noted = self._look()
            if noted is not None:
                return noted
        if not self._is_full():
            return None
        pause = Pause(run_id=self._run_id, cause="gigabytes")
        # At once: what was begun and is cut short now is in no row, and the others must not have it again.
        note_pause(self._mirror, pause)
        return pause

    def _look(self) -> Pause | None:
        """What the other batches have downloaded; their word where one of them has found it to be enough."""
        began = self._clock()
        noted = pause_of(self._mirror, self._run_id)
        if noted is None or noted.cause != "gigabytes":
            noted = None
            others = self._mirror.ledger.plan.of_batches(
                self._run_id, first=self._urgent, besides=self._batch
            )
            self._others = others.bytes_downloaded
        self._asked = self._clock()
        self._pause_between = max(_ASK_EVERY, _TIMES_AS_LONG * (self._asked - began))
        return noted

    def _is_full(self) -> bool:
        return self._most is not None and self._others + self._mine >= self._most


def takes_away(mirror: Mirror, run: Run, planned: list[PlannedProject]) -> list[PlannedProject]:
    """Those of ``planned`` that take something off the pages, as far as can be told without asking upstream.

    Most of them need no download, and the longer they wait the longer is something served that upstream has
    withdrawn, often because it is malicious.
    """
    losing: set[NormalizedName] = set()
    if run.source == "changelog" and run.cursor_from is not None and run.cursor_to is not None:
        # What is left of earlier runs is of events that the cursor has not passed.
        cursor = mirror.ledger.facts.cursor
        since = run.cursor_from if cursor is None else min(cursor, run.cursor_from)
        losing = {
            event.project
            for event in mirror.ledger.events.between(since, run.cursor_to)
            if takes_files(event.action) or event.action.startswith("yank ")
        }
    return [p for p in planned if p.action is Action.REMOVE or p.gone or p.project in losing]


def note_pause(mirror: Mirror, pause: Pause) -> None:
    """Keep that the run leaves planned projects to a later run."""
    mirror.ledger.facts.put({_FACT: msgspec.json.encode(pause).decode()})


def forget_pause(mirror: Mirror) -> None:
    """The run that it is of begins anew, or another one does not wait, or came to its end."""
    if mirror.ledger.facts.get(_FACT) is not None:
        mirror.ledger.facts.put({_FACT: None})


def pause_of(mirror: Mirror, run_id: int) -> Pause | None:
    """None when no batch of the run has left anything to a later one."""
    pause = _pause(mirror)
    return pause if pause is not None and pause.run_id == run_id else None


def paused_until(mirror: Mirror) -> datetime | None:
    """When the mirror goes on with what it has left, None when it has left nothing or may go on by now."""
    pause = _pause(mirror)
    if pause is None or pause.until is None or pause.until <= mirror.clock():
        return None
    return datetime.fromtimestamp(pause.until, UTC)


def described(mirror: Mirror, pause: Pause | None, *, done: int, planned: int, left: Left | None) -> str:
    """``paused until 2026-11-22 22:00 CET ([schedule] download-window): 512 of 2,000 projects done``, or
    ``paused by [schedule] projects-per-run: 500 of 2,000 projects done; left are 1,500 projects, about
    2.3 GB, 3 more runs``; without a ``pause`` it is by the number of projects.
    """
    of_all = f"{done:,} of {planned:,} projects done"
    if pause is not None and pause.until is not None:
        until = datetime.fromtimestamp(pause.until, pendulum.timezone(mirror.settings.schedule.timezone))
        return f"paused until {until:%Y-%m-%d %H:%M %Z} ([schedule] download-window): {of_all}"
    option = "projects-per-run" if pause is None else "gigabytes-per-run"
    rest = "" if left is None else f"; {described_left(left)}"
    return f"paused by [schedule] {option}: {of_all}{rest}"


def described_left(left: Left) -> str:
    """``left are 1,500 projects, about 2.3 GB, 3 more runs``."""
    return f"left are {estimate(left)}"


def estimate(left: Left) -> str:
    """``1,500 projects, about 2.3 GB, 3 more runs``."""
    parts = [count(left.projects, "project")]
    if left.bytes is not None:
        parts.append(f"about {size(left.bytes)}")
    if left.runs is not None:
        parts.append(count(left.runs, "more run"))
    return ", ".join(parts)


def _pause(mirror: Mirror) -> Pause | None:
    noted = mirror.ledger.facts.get(_FACT)
    return None if noted is None else msgspec.json.decode(noted, type=Pause)
