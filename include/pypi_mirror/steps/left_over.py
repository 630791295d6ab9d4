"""What bounded and paused runs leave to the next ones: which plan has it, up to which serial, and how much.

A first sync that takes days is a chain of runs. Each plans all that is to be done, takes a part of it, and
leaves the rest in the ledger's plan; the next run copies that rest into its own plan and adds what happened
upstream since. The cursor moves once nothing is left. So nothing is compared twice with all of upstream, and
nothing is done twice.
"""

import math
from dataclasses import dataclass
from typing import Final

import msgspec

from pypi_mirror.mirror import Mirror

_FACT: Final = "left_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """An estimate of what is left to the runs to come.

    ``bytes`` are to be downloaded as far as the projects that are done tell, None before there are any;
    ``runs`` is how many runs that takes within the bounds in force, None where there is no bound.
    """

    projects: int
    bytes: int | None
    runs: int | None


class LeftOver(msgspec.Struct, frozen=True, kw_only=True):
    """The rest itself: the pending projects of the plan of ``run_id``, and all events after ``serial``.

    ``published`` says that the run came to its end; of one that did not, failed projects are to be done, too.
    ``approved`` says that a person allowed what the plan removes. ``selection`` are the filters it was made
    under, ``etag`` is that of the root index it was compared with, ``since`` is when the chain's first run
    began, in seconds since 1970, and ``done`` and ``downloaded`` are the projects and bytes of all its runs.
    """

    run_id: int
    serial: int | None
    selection: str
    since: int
    etag: str | None = None
    published: bool = False
    approved: bool = False
    done: int = 0
    downloaded: int = 0
    projects: int = 0


def left(mirror: Mirror) -> Left | None:
    """What is left of a sync in parts, None when nothing is; costs one look at the ledger's facts."""
    rest = left_over(mirror)
    if rest is None or not rest.projects:
        return None
    expected = round(rest.downloaded / rest.done * rest.projects) if rest.done else None
    return Left(projects=rest.projects, bytes=expected, runs=_runs(mirror, rest.projects, expected))


def left_over(mirror: Mirror) -> LeftOver | None:
    """None when the last sync has left nothing."""
    noted = mirror.ledger.facts.get(_FACT)
    return None if noted is None else msgspec.json.decode(noted, type=LeftOver)


def note_left_over(mirror: Mirror, rest: LeftOver | None) -> None:
    """Keep ``rest`` for the next run; None: nothing is left."""
    mirror.ledger.facts.put({_FACT: None if rest is None else msgspec.json.encode(rest).decode()})


def _runs(mirror: Mirror, projects: int, expected: int | None) -> int | None:
    schedule = mirror.settings.schedule
    wanted = []
    if schedule.projects_per_run is not None:
        wanted.append(math.ceil(projects / schedule.projects_per_run))
    if schedule.bytes_per_run is not None and expected is not None:
        wanted.append(math.ceil(expected / schedule.bytes_per_run))
    return max(1, *wanted) if wanted else None
