"""How a run goes through its plan: what cannot wait, then what a person wants first, then the rest by name.

Each of the three is cut into batches of its own, which begin in this order. ``[schedule] projects-per-run``
and ``gigabytes-per-run`` bound the second and the third; the first is done whatever they say, uncounted.
"""

from functools import partial
from typing import Final

import msgspec

from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind
from pypi_mirror.planning import cut, cut_of_turn
from pypi_mirror.settings.first import read_first

_FACT: Final = "turns"


class _Turns(msgspec.Struct, frozen=True, kw_only=True):
    """Of the run ``run_id``: the batches before number ``urgent`` hold what cannot wait."""

    run_id: int
    urgent: int


def is_bounded(run: Run) -> bool:
    """Whether the settings' bounds hold for ``run``: for one that brings all of the mirror up to date."""
    return run.request.kind is RunKind.SYNC and not run.request.unbounded


def cut_plan(mirror: Mirror, run: Run, *, batch_size: int, at_least: int, smallest: int) -> None:
    """Cut the plan of ``run``, as it is in the ledger, into batches, and leave what is over the bound.

    Raises ConfigurationError for a list of ``[schedule] first`` that cannot be read.
    """
    schedule, plan = mirror.settings.schedule, mirror.ledger.plan
    most = schedule.projects_per_run if is_bounded(run) else None
    in_turns = run.request.kind is RunKind.SYNC and (
        most is not None or schedule.first or (is_bounded(run) and schedule.bytes_per_run is not None)
    )
    if not in_turns:
        plan.cut(run.id, partial(cut, batch_size=batch_size, at_least=at_least, smallest=smallest))
        return
    turns = plan.cut_in_turns(
        run.id,
        first=read_first(mirror.settings),
        most=most,
        cut=partial(cut_of_turn, batch_size=batch_size, at_least=at_least, smallest=smallest),
    )
    noted = _Turns(run_id=run.id, urgent=turns.urgent)
    mirror.ledger.facts.put({_FACT: msgspec.json.encode(noted).decode()})


def urgent_batches(mirror: Mirror, run_id: int) -> int:
    """How many batches, the first ones, hold what cannot wait; 0 for a run that was not cut in turns."""
    noted = mirror.ledger.facts.get(_FACT)
    turns = None if noted is None else msgspec.json.decode(noted, type=_Turns)
    return 0 if turns is None or turns.run_id != run_id else turns.urgent
