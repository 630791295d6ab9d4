"""The plan of a run: a row a project, cut into batches, with what became of each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from packaging.utils import NormalizedName
from sqlalchemy import Engine, Row, bindparam, case, delete, func, or_, select

from pypi_mirror.ledger.cutting import (
    LEFT,
    UNCUT,
    Cut,
    CutTurn,
    Turns,
    cut_in_turns,
    cut_whole,
    take_over,
)
from pypi_mirror.ledger.reading import stream
from pypi_mirror.ledger.tables import plan
from pypi_mirror.ledger.writing import upsert
from pypi_mirror.model import Action, PlannedProject, PlanState, Tally

_CHUNK: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSize:
    """How much a batch holds; ``first`` and ``last`` are names of its projects, in their order."""

    number: int
    projects: int
    removals: int
    known_bytes: int
    first: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is. Asking takes half a second in a plan of 800,000 projects."""

    planned: int
    batches: int
    batches_done: int
    tally: Tally


class Plan:
    """Counts, batches and progress are those of what the run takes; the other rows are its plan, too."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(self, run_id: int, projects: Iterable[PlannedProject], cut: Cut | None = None) -> None:
        """Replace the plan of ``run_id`` by ``projects``, in one transaction, and cut it into batches.

        Of several rows for one project the first stands. ``projects`` may be longer than memory: only a
        chunk of them is held at a time, and ``cut`` is told the sizes of what was written.
        """
        with self._engine.begin() as connection:
            connection.execute(delete(plan).where(plan.c.run_id == run_id))
            remaining = iter(projects)
            while chunk := [_row(run_id, project) for project in islice(remaining, _CHUNK)]:
                upsert(connection, plan, chunk, keep_existing=True)
            if cut is not None:
                cut_whole(connection, run_id, cut)

    def add(self, run_id: int, projects: Iterable[PlannedProject], *, replace: bool = False) -> None:
        """Add ``projects`` to the plan where it does not have them yet, or with ``replace`` in place of what
        it has of them; then it has to be cut.

        Other than with ``write``, asking for the next of ``projects`` may take long and write to the ledger.
        """
        remaining = iter(projects)
        while chunk := [_row(run_id, project) for project in islice(remaining, _CHUNK)]:
            with self._engine.begin() as connection:
                upsert(connection, plan, chunk, keep_existing=not replace)

    def cut(self, run_id: int, cut: Cut) -> None:
        """Cut the whole plan into batches."""
        with self._engine.begin() as connection:
            cut_whole(connection, run_id, cut)

    def cut_in_turns(
        self, run_id: int, *, first: Sequence[NormalizedName], most: int | None, cut: CutTurn
    ) -> Turns:
        """Take what cannot wait, then ``first``, then the others by name, at most ``most`` of these two; cut
        each of the three into batches of its own, and leave the rest.
        """
        with self._engine.begin() as connection:
            return cut_in_turns(connection, run_id, first=first, most=most, cut=cut)

    def take_over(
        self, run_id: int, *, rest_of: int, since: int, selection: str, failed: bool, present: bool
    ) -> None:
        """Copy what the run ``rest_of`` has left, or never came to, and the plan of ``run_id`` does not have.

        ``failed`` ones come, too, where that run did not come to its end. What has been synced ``since``
        (seconds since 1970) under the filters ``selection``, by a run for named projects, does not come;
        ``present`` leaves out what the mirror does not hold.
        """
        with self._engine.begin() as connection:
            states = (PlanState.PENDING, PlanState.FAILED) if failed else (PlanState.PENDING,)
            take_over(
                connection,
                run_id,
                rest_of=rest_of,
                states=[state.value for state in states],
                since=since,
                selection=selection,
                present=present,
            )

    def has(self, run_id: int, projects: Sequence[NormalizedName]) -> set[NormalizedName]:
        """Those of ``projects`` that are planned."""
        statement = select(plan.c.project).where(plan.c.run_id == run_id, plan.c.project.in_(projects))
        with self._engine.connect().execution_options(reading=True) as connection:
            return {NormalizedName(name) for name in connection.execute(statement).scalars()}

    def pending(self, run_id: int, batch: int) -> list[PlannedProject]:
        """The projects of a batch that are still to do, the largest first: they take longest."""
        statement = (
            select(plan)
            .where(
                plan.c.run_id == run_id,
                plan.c.batch == batch,
                plan.c.state == PlanState.PENDING.value,
            )
            .order_by(plan.c.known_bytes.desc(), plan.c.project)
        )
        with self._engine.connect().execution_options(reading=True) as connection:
            return [_planned(row) for row in connection.execute(statement)]

    def reopen_failed(self, run_id: int, batch: int) -> None:
        """Make the failed projects of a batch pending again: its task is run once more.

        What they turned out to lose is found anew.
        """
        with self._engine.begin() as connection:
            connection.execute(
                plan.update()
                .where(
                    plan.c.run_id == run_id,
                    plan.c.batch == batch,
                    plan.c.state == PlanState.FAILED.value,
                )
                .values(state=PlanState.PENDING.value, lost_project=False, lost_files=0, lost_bytes=0)
            )

    def batches(self, run_id: int, number: int | None = None) -> list[BatchSize]:
        """The batches of a run, all or the one of that number."""
        one = () if number is None else (plan.c.batch == number,)
        with self._engine.connect().execution_options(reading=True) as connection:
            rows = connection.execute(
                select(
                    plan.c.batch,
                    func.count(),
                    func.sum(case((plan.c.action == Action.REMOVE.value, 1), else_=0)),
                    func.sum(plan.c.known_bytes),
                    func.min(plan.c.project),
                    func.max(plan.c.project),
                )
                .where(plan.c.run_id == run_id, _TAKEN, *one)
                .group_by(plan.c.batch)
                .order_by(plan.c.batch)
            )
            return [
                BatchSize(
                    number=number,
                    projects=projects,
                    removals=int(removals),
                    known_bytes=int(known),
                    first=first,
                    last=last,
                )
                for number, projects, removals, known, first, last in rows
            ]

    def projects(self, run_id: int, state: PlanState | None = None) -> Iterator[PlannedProject]:
        """The planned projects by name, all or those in one state."""
        statement = select(plan).where(plan.c.run_id == run_id).order_by(plan.c.project)
        if state is not None:
            statement = statement.where(plan.c.state == state.value)
        for row in stream(self._engine, statement):
            yield _planned(row)

    def losing(self, run_id: int, *, besides: int | None = None) -> Iterator[PlannedProject]:
        """The planned projects by which the mirror loses a page or files, by name.

        With ``besides``, those alone that the plan of that run does not have to lose as much.
        """
        statement = (
            select(plan)
            .where(plan.c.run_id == run_id, or_(plan.c.loses_project, plan.c.loses_files > 0))
            .order_by(plan.c.project)
        )
        if besides is not None:
            other = plan.alias()
            statement = statement.where(
                ~select(other.c.project)
                .where(
                    other.c.run_id == besides,
                    other.c.project == plan.c.project,
                    other.c.loses_project == plan.c.loses_project,
                    other.c.loses_files >= plan.c.loses_files,
                    other.c.loses_bytes >= plan.c.loses_bytes,
                )
                .exists()
            )
        for row in stream(self._engine, statement):
            yield _planned(row)

    def note_losses(self, run_id: int, losses: Iterable[tuple[NormalizedName, int, int]]) -> None:
        """Set (project, files, bytes) of planned projects that lose files and not their page."""
        statement = (
            plan.update()
            .where(plan.c.run_id == run_id, plan.c.project == bindparam("project_"), ~plan.c.loses_project)
            .values(loses_files=bindparam("files_"), loses_bytes=bindparam("bytes_"))
        )
        remaining = iter(losses)
        while chunk := [
            {"project_": project, "files_": files, "bytes_": size}
            for project, files, size in islice(remaining, _CHUNK)
        ]:
            with self._engine.begin() as connection:
                connection.execute(statement, chunk)

    def progress(self, run_id: int) -> Progress:
        with self._engine.connect().execution_options(reading=True) as connection:
            rows = connection.execute(_PROGRESS.where(plan.c.run_id == run_id, _TAKEN)).all()
            open_batches = connection.execute(
                select(func.count(plan.c.batch.distinct())).where(
                    plan.c.run_id == run_id, _TAKEN, plan.c.state == PlanState.PENDING.value
                )
            ).scalar_one()
            batches = connection.execute(
                select(func.count(plan.c.batch.distinct())).where(plan.c.run_id == run_id, _TAKEN)
            ).scalar_one()
        tally, planned = Tally(), 0
        for row in rows:
            planned += row.projects
            tally += _tally(row)
        return Progress(planned=planned, batches=batches, batches_done=batches - open_batches, tally=tally)

    def outcome(self, run_id: int, batch: int) -> Tally:
        """What a batch has done so far, over all its tries."""
        statement = _PROGRESS.where(plan.c.run_id == run_id, plan.c.batch == batch)
        with self._engine.connect().execution_options(reading=True) as connection:
            return sum((_tally(row) for row in connection.execute(statement)), Tally())

    def of_batches(self, run_id: int, *, first: int, besides: int | None = None) -> Tally:
        """What the batches from ``first`` on have done so far, without the batch ``besides``."""
        mine = (plan.c.run_id == run_id, plan.c.batch >= first, plan.c.batch != besides)
        statement = _PROGRESS.where(*mine[: 2 if besides is None else 3])
        with self._engine.connect().execution_options(reading=True) as connection:
            return sum((_tally(row) for row in connection.execute(statement)), Tally())

    def failed(self, run_id: int, batch: int | None = None) -> Sequence[NormalizedName]:
        """The projects that failed, in one batch or in all, by name."""
        statement = (
            select(plan.c.project)
            .where(plan.c.run_id == run_id, plan.c.state == PlanState.FAILED.value)
            .order_by(plan.c.project)
        )
        if batch is not None:
            statement = statement.where(plan.c.batch == batch)
        with self._engine.connect().execution_options(reading=True) as connection:
            return [NormalizedName(name) for name in connection.execute(statement).scalars()]

    def removed(self, run_id: int) -> Sequence[NormalizedName]:
        """The projects that the mirror has lost by this run, by name."""
        statement = (
            select(plan.c.project)
            .where(plan.c.run_id == run_id, plan.c.state == PlanState.DONE.value, plan.c.removed)
            .order_by(plan.c.project)
        )
        with self._engine.connect().execution_options(reading=True) as connection:
            return [NormalizedName(name) for name in connection.execute(statement).scalars()]

    def count(self, run_id: int, state: PlanState | None = None) -> int:
        """How many projects are planned, or in one state."""
        statement = select(func.count()).select_from(plan).where(plan.c.run_id == run_id, _TAKEN)
        if state is not None:
            statement = statement.where(plan.c.state == state.value)
        with self._engine.connect().execution_options(reading=True) as connection:
            return connection.execute(statement).scalar_one()

    def unfinished(self, run_id: int) -> int:
        """How many projects of the run's batches are neither done nor failed."""
        return self.count(run_id, PlanState.PENDING)

    def left(self, run_id: int) -> int:
        """How many projects are in no batch: the run leaves them to a later one."""
        statement = (
            select(func.count()).select_from(plan).where(plan.c.run_id == run_id, plan.c.batch == LEFT)
        )
        with self._engine.connect().execution_options(reading=True) as connection:
            return connection.execute(statement).scalar_one()


_TAKEN: Final = plan.c.batch != LEFT
_PROGRESS: Final = select(
    plan.c.state,
    func.count().label("projects"),
    func.sum(case((plan.c.removed, 1), else_=0)).label("removed"),
    *(
        func.sum(plan.c[name]).label(name)
        for name in (
            "files_downloaded",
            "bytes_downloaded",
            "files_kept",
            "files_dropped",
            "bytes_dropped",
        )
    ),
).group_by(plan.c.state)


def _tally(row: Row[Any]) -> Tally:
    done = row.state == PlanState.DONE.value
    return Tally(
        projects_done=row.projects if done else 0,
        projects_failed=row.projects if row.state == PlanState.FAILED.value else 0,
        projects_removed=int(row.removed),
        files_downloaded=int(row.files_downloaded),
        bytes_downloaded=int(row.bytes_downloaded),
        files_kept=int(row.files_kept),
        files_dropped=int(row.files_dropped),
        bytes_dropped=int(row.bytes_dropped),
    )


def _row(run_id: int, project: PlannedProject) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "project": project.project,
        "batch": UNCUT,
        "display_name": project.display_name,
        "action": project.action.value,
        "reason": project.reason,
        "serial": project.serial,
        "exact": project.exact,
        "gone": project.gone,
        "verify": project.verify,
        "known_bytes": project.known_bytes,
        "loses_project": project.loses_project,
        "loses_files": project.loses_files,
        "loses_bytes": project.loses_bytes,
        "state": PlanState.PENDING.value,
        "files_downloaded": 0,
        "bytes_downloaded": 0,
        "files_kept": 0,
        "files_dropped": 0,
        "bytes_dropped": 0,
        "removed": False,
    }


def _planned(row: Row[Any]) -> PlannedProject:
    return PlannedProject(
        project=NormalizedName(row.project),
        display_name=row.display_name,
        action=Action(row.action),
        reason=row.reason,
        serial=row.serial,
        exact=row.exact,
        gone=row.gone,
        verify=row.verify,
        known_bytes=row.known_bytes,
        loses_project=row.loses_project,
        loses_files=row.loses_files,
        loses_bytes=row.loses_bytes,
    )
