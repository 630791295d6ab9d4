"""Outside ``download-window`` a run leaves to a later one what it would have to download: it is paused."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from packaging.utils import NormalizedName

from pypi_mirror.download_window import closed_until
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Action, PlannedProject, RunKind
from pypi_mirror.upstream.changelog import takes_files

_FACT: Final = "paused"


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Of the run ``run_id``; ``until`` is in seconds since 1970."""

    run_id: int
    until: int


class WindowWatch:
    """Call it to hear why a run has to stop downloading, None while it may; ``until`` is when it may again.

    Projects that a person names, backfills and audits download at any hour: no later run would go on.
    """

    def __init__(self, mirror: Mirror, run: Run) -> None:
        self._clock = mirror.clock
        self._schedule = mirror.settings.schedule
        bound = run.request.kind is RunKind.SYNC and not run.request.any_hour
        self._windows = self._schedule.download_window if bound else ()
        self.until: datetime | None = None

    def __call__(self) -> str | None:
        if self.until is None:
            self.until = closed_until(self._windows, self._schedule.timezone, self._clock())
        return None if self.until is None else "the download window is closed"


def takes_away(mirror: Mirror, run: Run, planned: list[PlannedProject]) -> list[PlannedProject]:
    """Those of ``planned`` that take something off the pages, as far as can be told without asking upstream.

    Most of them need no download, and the longer they wait the longer is something served that upstream has
    withdrawn, often because it is malicious.
    """
    losing: set[NormalizedName] = set()
    if run.source == "changelog" and run.cursor_from is not None and run.cursor_to is not None:
        losing = {
            event.project
            for event in mirror.ledger.events.between(run.cursor_from, run.cursor_to)
            if takes_files(event.action) or event.action.startswith("yank ")
        }
    return [p for p in planned if p.action is Action.REMOVE or p.gone or p.project in losing]


def note_pause(mirror: Mirror, run_id: int, until: datetime) -> None:
    """Keep that the run leaves planned projects to a later run."""
    pause = Pause(run_id=run_id, until=int(until.timestamp()))
    mirror.ledger.facts.put({_FACT: msgspec.json.encode(pause).decode()})


def forget_pause(mirror: Mirror) -> None:
    """The run that it is of begins anew, or another one does not wait, or came to its end."""
    if mirror.ledger.facts.get(_FACT) is not None:
        mirror.ledger.facts.put({_FACT: None})


def pause_of(mirror: Mirror, run_id: int) -> Pause | None:
    """None when the run has left nothing to a later one."""
    pause = _pause(mirror)
    return pause if pause is not None and pause.run_id == run_id else None


def paused_until(mirror: Mirror) -> datetime | None:
    """When the mirror goes on with what it has left, None when it has left nothing or may go on by now."""
    pause = _pause(mirror)
    if pause is None or pause.until <= mirror.clock():
        return None
    return datetime.fromtimestamp(pause.until, UTC)


def described(mirror: Mirror, pause: Pause, *, done: int, planned: int) -> str:
    """``paused until 2026-11-22 22:00 CET ([schedule] download-window): 512 of 2,000 projects done``."""
    until = datetime.fromtimestamp(pause.until, ZoneInfo(mirror.settings.schedule.timezone))
    return (
        f"paused until {until:%Y-%m-%d %H:%M %Z} ([schedule] download-window): {done:,} of {planned:,} "
        "projects done"
    )


def _pause(mirror: Mirror) -> Pause | None:
    noted = mirror.ledger.facts.get(_FACT)
    return None if noted is None else msgspec.json.decode(noted, type=Pause)
