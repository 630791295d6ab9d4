"""How a run goes through its plan: what cannot wait, then what a person wants first, then the rest by name.

Each of the three is cut into batches of its own, which begin in this order. ``[schedule] projects-per-run``
and ``gigabytes-per-run`` bound the second and the third; the first is done whatever they say, uncounted.
"""

from functools import partial
from typing import Final

from pypi_mirror.facts.facts import Facts
from pypi_mirror.facts.values import Bound
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind
from pypi_mirror.options.first import read_first
from pypi_mirror.planning.plan import cut, cut_of_turn

# Projects whose pages a run reads where projects-per-run does not say how many: so that a run ends that
# gigabytes-per-run alone bounds, and one that reads what an older ledger lacks.
READ_AT_MOST: Final = 20_000


def is_bounded(run: Run) -> bool:
    """Whether the settings' bounds hold for ``run``: for one that brings all of the mirror up to date."""
    return run.request.kind is RunKind.SYNC and not run.request.unbounded


def choose_projects(mirror: Mirror, run: Run) -> None:
    """Choose what ``run`` takes of its plan, as it is in the ledger, and leave what is over the bound.

    Raises ConfigurationError for a list of ``[schedule] first`` that cannot be read.
    """
    if _goes_in_turns(mirror, run):
        schedule = mirror.settings.schedule
        most = schedule.projects_per_run if is_bounded(run) else None
        if most is None and is_bounded(run) and schedule.bytes_per_run is not None:
            most = READ_AT_MOST
        mirror.ledger.plan.choose_turns(
            run.id, first=read_first(schedule.first, mirror.settings.path), most=most
        )
    else:
        mirror.ledger.plan.choose_all(run.id)


def cut_plan(mirror: Mirror, run: Run, *, batch_size: int, at_least: int, smallest: int) -> None:
    """Cut what ``run`` takes into batches, and leave what is over ``gigabytes-per-run``."""
    schedule, plan = mirror.settings.schedule, mirror.ledger.plan
    if not _goes_in_turns(mirror, run):
        plan.cut(run.id, partial(cut, batch_size=batch_size, at_least=at_least, smallest=smallest))
        return
    is_full = plan.cut_turns(
        run.id,
        first=read_first(schedule.first, mirror.settings.path),
        most_bytes=schedule.bytes_per_run if is_bounded(run) else None,
        cut=partial(cut_of_turn, batch_size=batch_size, at_least=at_least, smallest=smallest),
    )
    bound = Bound(run_id=run.id, is_full=is_full or schedule.projects_per_run is None)
    mirror.ledger.facts.put(Facts.bound.to(bound))


def _goes_in_turns(mirror: Mirror, run: Run) -> bool:
    schedule = mirror.settings.schedule
    bounds = (schedule.projects_per_run, schedule.bytes_per_run)
    is_sync = run.request.kind is RunKind.SYNC
    return is_sync and bool(schedule.first or (is_bounded(run) and bounds != (None, None)))


def bounding_option(mirror: Mirror, run_id: int) -> str:
    """The option of ``[schedule]`` because of which the run leaves a part of its plan."""
    bound = mirror.ledger.facts.bound
    is_full = bound is not None and bound.run_id == run_id and bound.is_full
    return "gigabytes-per-run" if is_full else "projects-per-run"
