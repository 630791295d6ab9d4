"""Cutting a plan into batches: as a whole, or in turns, of which a bounded run takes as much as it may.

A plan is cut where it is, in the database: it may be longer than memory.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import tee
from typing import Final, Protocol

from packaging.utils import NormalizedName
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    cast,
    func,
    or_,
    select,
    update,
)

from pypi_mirror.chunks import chunks
from pypi_mirror.ledger.projects import REMOVED, REMOVING
from pypi_mirror.ledger.tables import plan, projects
from pypi_mirror.model import Action, PlanState

_CHUNK: Final = 2_000
# The batch of rows that are not cut yet, and of all where there is but one.
UNCUT: Final = 0
# The batch of rows that the run leaves to a later one; what is left is pending in no batch.
LEFT: Final = -1
# The batch of rows that failed before there were batches: unreadable or withheld.
_NO_BATCH: Final = -5
# What a file counts for whose size upstream does not state: about the average of PyPI's. Otherwise an index
# without sizes would know no bound of a run.
UNSIZED: Final = 5_000_000
_BYTES: Final = (plan.c.new_bytes + cast(plan.c.unsized_files, BigInteger) * UNSIZED).label("size")
# What rows are marked with until each turn is cut.
_URGENT: Final = -2
_FIRST: Final = -3
_OTHERS: Final = -4


class Cut(Protocol):
    """Gives the batch of each project of a plan, in their order, from the bytes of its new files.

    ``sizes`` says of how many bytes how many projects are; each size comes once.
    """

    def __call__(self, new_bytes: Iterable[int], /, *, sizes: Iterable[tuple[int, int]]) -> Iterable[int]: ...


class CutTurn(Protocol):
    """Gives the cut for a turn of ``projects`` of a run that takes ``of_all``."""

    def __call__(self, projects: int, of_all: int, /) -> Cut: ...


def cut_whole(connection: Connection, run_id: int, cut: Cut) -> None:
    """Cut what of the plan is still to do into stretches of the alphabet."""
    _set_failed_apart(connection, run_id)
    pending = plan.c.state == PlanState.PENDING.value
    _cut(connection, run_id, pending, _stretches(connection, run_id, pending, cut))


def choose_all(connection: Connection, run_id: int) -> None:
    """See ``Plan.choose_all``."""
    _mark(connection, and_(plan.c.run_id == run_id, plan.c.batch == LEFT), UNCUT)


def choose_turns(
    connection: Connection, run_id: int, *, first: Sequence[NormalizedName], most: int | None
) -> None:
    """See ``Plan.choose_turns``."""
    mine = plan.c.run_id == run_id
    _mark(connection, and_(mine, plan.c.batch != LEFT), LEFT)
    unmarked = and_(mine, plan.c.batch == LEFT)
    _mark(connection, and_(unmarked, _cannot_wait()), _URGENT)
    ranked = _mark_first(connection, unmarked, first, most)
    _mark_others(connection, unmarked, None if most is None else most - ranked)


def cut_turns(
    connection: Connection,
    run_id: int,
    *,
    first: Sequence[NormalizedName],
    most_bytes: int | None,
    cut: CutTurn,
) -> bool:
    """See ``Plan.cut_turns``."""
    _set_failed_apart(connection, run_id)
    pending = and_(plan.c.run_id == run_id, plan.c.state == PlanState.PENDING.value)
    ranked = _ranked(connection, and_(pending, plan.c.batch == _FIRST), first)
    beyond: list[str] = []
    if most_bytes is not None:
        others = _others(connection, pending)
        beyond = _beyond([*ranked, *others], most_bytes)
        for chunk in chunks(beyond, _CHUNK):
            _mark(connection, and_(pending, plan.c.project.in_(chunk)), LEFT)
        left = set(beyond)
        ranked = [each for each in ranked if each[0] not in left]
    urgent = _count(connection, and_(pending, plan.c.batch == _URGENT))
    others_left = _count(connection, and_(pending, plan.c.batch == _OTHERS))
    all_ = urgent + len(ranked) + others_left
    after_urgent = _cut_turn(connection, run_id, _URGENT, cut(urgent, all_), after=0) if urgent else 0
    following = after_urgent
    if ranked:
        following = _cut_ranked(connection, run_id, ranked, cut(len(ranked), all_), after=after_urgent)
    if others_left:
        _cut_turn(connection, run_id, _OTHERS, cut(others_left, all_), after=following)
    return bool(beyond)


def _cannot_wait() -> ColumnElement[bool]:
    """What takes a project off the mirror, or brings upstream's change to one that the mirror serves.

    That other filters ask for other files of it can wait.
    """
    served = (
        select(projects.c.id)
        .where(
            projects.c.name == plan.c.project,
            projects.c.status.not_in((REMOVING, REMOVED)),
            or_(plan.c.exact, plan.c.serial > projects.c.seen_serial),
        )
        .exists()
    )
    return or_(plan.c.action == Action.REMOVE.value, plan.c.gone, plan.c.loses_project, served)


def _mark(connection: Connection, which: ColumnElement[bool], batch: int) -> int:
    return connection.execute(update(plan).where(which).values(batch=batch)).rowcount


def _set_failed_apart(connection: Connection, run_id: int) -> None:
    failed = and_(plan.c.run_id == run_id, plan.c.state == PlanState.FAILED.value)
    _mark(connection, failed, _NO_BATCH)


def _count(connection: Connection, which: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(plan).where(which)).scalar_one()


def _mark_first(
    connection: Connection, which: ColumnElement[bool], first: Sequence[NormalizedName], most: int | None
) -> int:
    """Mark those of ``first`` that are planned, at most so many; return how many there are."""
    ranked = [name for name, _ in _ranked(connection, which, first)][:most]
    for chunk in chunks(ranked, _CHUNK):
        _mark(connection, and_(which, plan.c.project.in_(chunk)), _FIRST)
    return len(ranked)


def _ranked(
    connection: Connection, which: ColumnElement[bool], first: Sequence[NormalizedName]
) -> list[tuple[str, int]]:
    """Those of ``first`` that are planned, in their order, with the bytes of their new files."""
    ranked: list[tuple[str, int]] = []
    for wanted in chunks(first, _CHUNK):
        rows = connection.execute(select(plan.c.project, _BYTES).where(which, plan.c.project.in_(wanted)))
        new: dict[str, int] = {row.project: row.size for row in rows}
        ranked += [(name, new[name]) for name in wanted if name in new]
    return ranked


def _others(connection: Connection, which: ColumnElement[bool]) -> list[tuple[str, int]]:
    rows = select(plan.c.project, _BYTES).where(which, plan.c.batch == _OTHERS)
    return [(name, size) for name, size in connection.execute(rows.order_by(plan.c.project))]


def _beyond(ordered: Iterable[tuple[str, int]], most_bytes: int) -> list[str]:
    """Those that do not fit any more; the first one that needs files always does."""
    taken, full, beyond = 0, False, []
    for name, size in ordered:
        full = full or (taken > 0 and size > 0 and taken + size > most_bytes)
        if size == 0:
            continue
        if full:
            beyond.append(name)
        else:
            taken += size
    return beyond


def _mark_others(connection: Connection, which: ColumnElement[bool], most: int | None) -> None:
    """Mark the first of the alphabet, at most so many."""
    beyond = None
    if most is not None:
        ordered = select(plan.c.project).where(which).order_by(plan.c.project)
        beyond = connection.execute(ordered.offset(most).limit(1)).scalar()
    _mark(connection, which if beyond is None else and_(which, plan.c.project < beyond), _OTHERS)


def _cut_turn(connection: Connection, run_id: int, turn: int, cut: Cut, *, after: int) -> int:
    """Cut the rows marked ``turn`` into batches from number ``after`` on; return the number that follows."""
    which = and_(plan.c.batch == turn, plan.c.state == PlanState.PENDING.value)
    stretches = _stretches(connection, run_id, which, cut)
    numbered = list(enumerate(((first, last) for _, first, last in stretches), start=after))
    _cut(connection, run_id, which, [(number, *ends) for number, ends in numbered])
    return after + len(numbered)


def _cut_ranked(
    connection: Connection, run_id: int, ranked: Sequence[tuple[str, int]], cut: Cut, *, after: int
) -> int:
    """As ``_cut_turn``, in the order of ``ranked``."""
    sizes = Counter(known for _, known in ranked)
    numbers = cut((known for _, known in ranked), sizes=sizes.items())
    batches: dict[int, list[str]] = {}
    for number, (name, _) in zip(numbers, ranked, strict=True):
        batches.setdefault(number, []).append(name)
    for number, names in enumerate(batches.values(), start=after):
        for chunk in chunks(names, _CHUNK):
            _mark(connection, and_(plan.c.run_id == run_id, plan.c.project.in_(chunk)), number)
    return after + len(batches)


def _stretches(
    connection: Connection, run_id: int, which: ColumnElement[bool], cut: Cut
) -> list[tuple[int, str, str]]:
    """(batch, first project, last project) of every stretch of the alphabet."""
    mine = and_(plan.c.run_id == run_id, which)
    sizes = select(_BYTES, func.count()).where(mine).group_by(_BYTES)
    rows = select(plan.c.project, _BYTES).where(mine).order_by(plan.c.project)
    stretches: list[tuple[int, str, str]] = []
    streaming = {"yield_per": _CHUNK}
    with (
        connection.execute(sizes, execution_options=streaming) as counted,
        connection.execute(rows, execution_options=streaming) as found,
    ):
        names, again = tee(found)
        numbers = cut((known for _, known in again), sizes=((known, projects) for known, projects in counted))
        for number, (name, _) in zip(numbers, names, strict=True):
            if stretches and stretches[-1][0] == number:
                stretches[-1] = (number, stretches[-1][1], name)
            else:
                stretches.append((number, name, name))
    return stretches


def _cut(
    connection: Connection,
    run_id: int,
    which: ColumnElement[bool],
    stretches: Iterable[tuple[int, str, str]],
) -> None:
    for number, first, last in stretches:
        mine = and_(plan.c.run_id == run_id, which)
        _mark(connection, and_(mine, plan.c.project.between(first, last)), number)
