"""What syncs have still to do: a row a project that has to be looked at and has not been yet.

Before a sync downloads, its plan is noted here; what a run has done goes, whichever run it is. The next sync
decides about the rest as if it were new, and the cursor moves once nothing is left.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct
from packaging.utils import NormalizedName
from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Engine,
    and_,
    bindparam,
    case,
    cast,
    delete,
    false,
    func,
    literal,
    or_,
    select,
    true,
)

from pypi_mirror.facts.fact import Change
from pypi_mirror.ledger.cutting import UNCUT, UNSIZED
from pypi_mirror.ledger.facts import put_facts
from pypi_mirror.ledger.projects import REMOVED, REMOVING
from pypi_mirror.ledger.reading import count_of, fetch_as, project_names, scalar, total
from pypi_mirror.ledger.tables import plan, projects, to_do
from pypi_mirror.ledger.writing import insert
from pypi_mirror.model import PlanState

_TAKES: Final = ("new_bytes", "unsized_files")
_WANTED: Final = ("display_name", "action", "reason", "serial", "exact", "gone", "unread", *_TAKES)
_LOSES: Final = ("loses_project", "loses_files", "loses_bytes")
_COPIED: Final = ("project", *_WANTED, *_LOSES)
_NOTHING_DONE: Final = (
    "files_downloaded",
    "bytes_downloaded",
    "files_kept",
    "files_dropped",
    "bytes_dropped",
)


class Amount(Struct, frozen=True, kw_only=True):
    """How much is left. ``bytes`` are to be downloaded for all but the ``unread`` projects, of which nobody
    knows; a file without a stated size counts as a plan counts it.
    """

    projects: int
    unread: int
    bytes: int


class ToDo:
    """Its rows say what upstream has announced of a project, as those of a plan do. ``approved_in`` is the
    run in which a person has allowed what the row loses.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def amount(self) -> Amount:
        return fetch_as(self._engine, _AMOUNT, Amount)[0]

    def is_empty(self) -> bool:
        return scalar(self._engine, select(to_do.c.project).limit(1)) is None

    def those_of(self, names: Sequence[NormalizedName]) -> set[NormalizedName]:
        """Those of ``names`` that are left."""
        statement = select(to_do.c.project).where(to_do.c.project.in_(names))
        return set(project_names(self._engine, statement))

    def note(self, run_id: int, *, approved: bool, facts: Iterable[Change]) -> None:
        """Put what the plan of ``run_id`` has still to do in place of all that was left before, and set
        ``facts`` with it. With ``approved`` a person has allowed what it loses.
        """
        mine = and_(plan.c.run_id == run_id, plan.c.state != PlanState.DONE.value)
        is_planned = select(plan.c.project).where(mine, plan.c.project == to_do.c.project).exists()
        by = literal(run_id if approved else None, BigInteger)
        rows = select(*(plan.c[name] for name in _COPIED), by).where(mine)
        with self._engine.begin() as connection:
            connection.execute(delete(to_do).where(~is_planned))
            statement = insert(connection.dialect, to_do).from_select([*_COPIED, "approved_in"], rows)
            new = statement.excluded
            values: dict[str, Any] = {name: new[name] for name in _WANTED}
            if approved:
                values |= {name: new[name] for name in _LOSES}
                values["approved_in"] = func.coalesce(to_do.c.approved_in, new.approved_in)
            else:
                allowed = to_do.c.approved_in.is_not(None)
                values |= {name: case((allowed, to_do.c[name]), else_=new[name]) for name in _LOSES}
            # Most of what is left is as it was: to compare takes half of the time of writing it again.
            is_other = or_(
                *(to_do.c[name].is_distinct_from(new[name]) for name in (*_WANTED, *_LOSES, "approved_in"))
            )
            connection.execute(
                statement.on_conflict_do_update(index_elements=["project"], set_=values, where=is_other)
            )
            put_facts(connection, facts)

    def add_to_plan(self, run_id: int, *, held: bool) -> None:
        """Add what is left to the plan of ``run_id`` where it has nothing of the project; with ``held`` that
        of projects alone that the mirror holds.
        """
        is_held = (
            select(projects.c.id)
            .where(projects.c.name == to_do.c.project, projects.c.status.not_in((REMOVING, REMOVED)))
            .exists()
        )
        begun: dict[str, Any] = {
            "run_id": literal(run_id, BigInteger),
            "batch": literal(UNCUT),
            "state": literal(PlanState.PENDING.value),
            "verify": false(),
            "removed": false(),
            **dict.fromkeys(_NOTHING_DONE, literal(0)),
        }
        rows = select(*(to_do.c[name] for name in _COPIED), *begun.values()).where(
            is_held if held else true()
        )
        with self._engine.begin() as connection:
            statement = insert(connection.dialect, plan).from_select([*_COPIED, *begun], rows)
            connection.execute(statement.on_conflict_do_nothing())

    def published(self, run_id: int) -> None:
        """What failed in ``run_id``, which has published all else, is the backlog's business alone."""
        failed = select(plan.c.project).where(plan.c.run_id == run_id, plan.c.state == PlanState.FAILED.value)
        with self._engine.begin() as connection:
            connection.execute(delete(to_do).where(to_do.c.project.in_(failed)))


def note_done(connection: Connection, done: Sequence[tuple[NormalizedName, int, bool]]) -> None:
    """Within another subject's transaction: (project, serial reached or -1, found gone) were looked at.

    What upstream has announced later is left, and a removal that an old copy of the page contradicts.
    """
    if done:
        rows = [{"project_": name, "reached_": reached, "gone_": gone} for name, reached, gone in done]
        connection.execute(_DONE, rows)


_SIZE: Final = to_do.c.new_bytes + cast(to_do.c.unsized_files, BigInteger) * UNSIZED
_AMOUNT: Final = select(
    func.count().label("projects"),
    count_of(to_do.c.unread).label("unread"),
    total(case((to_do.c.unread, 0), else_=_SIZE)).label("bytes"),
).select_from(to_do)
_DONE: Final = delete(to_do).where(
    to_do.c.project == bindparam("project_"),
    func.coalesce(to_do.c.serial, -1) <= bindparam("reached_", type_=BigInteger),
    or_(~to_do.c.gone, bindparam("gone_", type_=Boolean)),
)
