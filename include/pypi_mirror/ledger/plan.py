"""The plan of a run: a row a project, cut into batches, with what became of each."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from typing import Any, Final

from msgspec import Struct
from packaging.utils import NormalizedName
from sqlalchemy import (
    ColumnElement,
    Engine,
    Row,
    and_,
    case,
    delete,
    exists,
    false,
    func,
    or_,
    select,
    update,
)

from pypi_mirror.catalogue import ENCODING, EntryState
from pypi_mirror.chunks import chunks
from pypi_mirror.errors import LossHeld
from pypi_mirror.ledger.cutting import (
    LEFT,
    UNCUT,
    Cut,
    CutTurn,
    choose_all,
    choose_turns,
    cut_turns,
    cut_whole,
)
from pypi_mirror.ledger.projects import REMOVED, REMOVING
from pypi_mirror.ledger.reading import count_of, stream, total
from pypi_mirror.ledger.tables import backlog, catalogue, demands, plan, projects, to_do
from pypi_mirror.ledger.writing import update_each, upsert
from pypi_mirror.model import Action, PlannedProject, PlanState, Tally

_CHUNK: Final = 2_000
# Seconds by which clocks of several hosts may differ.
_AHEAD: Final = 3600


class BatchSize(Struct, frozen=True, kw_only=True):
    """How much a batch holds; ``first`` and ``last`` are names of its projects, in their order."""

    number: int
    projects: int
    removals: int
    new_bytes: int
    first: str
    last: str


class Progress(Struct, frozen=True, kw_only=True):
    """How far a run is. Asking takes half a second in a plan of 800,000 projects."""

    planned: int
    batches: int
    batches_done: int
    tally: Tally


class NameRange(Struct, frozen=True, kw_only=True):
    """Names from ``first`` on, up to ``before`` and without it; None: to the end."""

    first: str
    before: str | None


class Reading(Struct, frozen=True, kw_only=True):
    """Of ``pages`` that a run asks upstream for, how many were ``read``, and how many could not be."""

    pages: int
    read: int
    failed: int


class PlanTotals(Struct, frozen=True, kw_only=True):
    """New files of a plan, their bytes as far as upstream states sizes, and how many state none."""

    files: int
    bytes: int
    unsized_files: int


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

    def drop_removals(self, run_id: int, projects: Sequence[NormalizedName]) -> None:
        """Forget that the plan removes ``projects``."""
        removes = (plan.c.run_id == run_id, plan.c.action == Action.REMOVE.value)
        with self._engine.begin() as connection:
            for chunk in chunks(projects):
                connection.execute(delete(plan).where(*removes, plan.c.project.in_(chunk)))

    def claim(self, run_id: int, projects: Sequence[NormalizedName], batch: int) -> None:
        """Put those of ``projects`` that were added, and are in no batch yet, into ``batch``."""
        added = (plan.c.run_id == run_id, plan.c.batch == UNCUT, plan.c.state == PlanState.PENDING.value)
        with self._engine.begin() as connection:
            for start in range(0, len(projects), _CHUNK):
                names = plan.c.project.in_(projects[start : start + _CHUNK])
                connection.execute(update(plan).where(*added, names).values(batch=batch))

    def cut(self, run_id: int, cut: Cut) -> None:
        """Cut the whole plan into batches."""
        with self._engine.begin() as connection:
            cut_whole(connection, run_id, cut)

    def choose_all(self, run_id: int) -> None:
        """Take what earlier runs, or an earlier try of this one, have left."""
        with self._engine.begin() as connection:
            choose_all(connection, run_id)

    def choose_turns(self, run_id: int, *, first: Sequence[NormalizedName], most: int | None) -> None:
        """Take what cannot wait, then ``first``, then the others by name, at most ``most`` of these two, and
        leave the rest.
        """
        with self._engine.begin() as connection:
            choose_turns(connection, run_id, first=first, most=most)

    def cut_turns(
        self, run_id: int, *, first: Sequence[NormalizedName], most_bytes: int | None, cut: CutTurn
    ) -> bool:
        """Cut each of the three turns that were chosen into batches of its own.

        What cannot wait is taken whole; of the others, in their order, as many as need no more than
        ``most_bytes`` of new files, one at least; what needs none is always taken. A file of unknown size
        counts as one of common size. Returns whether some were left because of their bytes.
        """
        with self._engine.begin() as connection:
            return cut_turns(connection, run_id, first=first, most_bytes=most_bytes, cut=cut)

    def note_unread(self, run_id: int, *, since: int, now: int) -> None:
        """Note of which projects upstream's page has to be asked for, by what the catalogue has of them.

        What was read after ``since`` (seconds since 1970) need not be asked for again, except for a serial
        that was announced later, and what a clock that was ahead dates later than ``now``. Of the others, an
        entry as new as the plan wants serves, unless the plan asks for another look, as for what is withheld.
        """
        is_read = _is_read(since, now)
        mine = (plan.c.run_id == run_id, plan.c.state == PlanState.PENDING.value)
        with self._engine.begin() as connection:
            connection.execute(
                update(plan)
                .where(*mine, plan.c.unread, plan.c.project.not_in(_WITHHELD), _entry(is_read))
                .values(unread=False)
            )
            connection.execute(
                update(plan)
                .where(
                    *mine,
                    ~plan.c.unread,
                    plan.c.action == Action.SYNC.value,
                    ~_entry(or_(is_read, _IS_AS_NEW)),
                )
                .values(unread=True)
            )

    def reread_withheld(self, run_id: int) -> None:
        """Ask once more for the pages that were withheld: upstream may be whole again."""
        mine = (plan.c.run_id == run_id, plan.c.action == Action.SYNC.value)
        with self._engine.begin() as connection:
            connection.execute(update(plan).where(*mine, plan.c.project.in_(_WITHHELD)).values(unread=True))

    def reopen_unread(self, run_id: int) -> None:
        """Make the projects pending again whose pages could not be read."""
        failed = (plan.c.run_id == run_id, plan.c.unread, plan.c.state == PlanState.FAILED.value)
        with self._engine.begin() as connection:
            connection.execute(update(plan).where(*failed).values(state=PlanState.PENDING.value))

    def unread(self, run_id: int, limit: int, within: NameRange | None = None) -> list[PlannedProject]:
        """Up to ``limit`` of the projects the run takes whose pages have to be asked for, in the order of its
        turns.
        """
        statement = select(plan).where(plan.c.run_id == run_id, *_UNREAD)
        if within is not None:
            statement = statement.where(plan.c.project >= within.first)
            if within.before is not None:
                statement = statement.where(plan.c.project < within.before)
        statement = statement.order_by(plan.c.batch.desc(), plan.c.project).limit(limit)
        with self._engine.connect().execution_options(reading=True) as connection:
            return [_planned(row) for row in connection.execute(statement)]

    def unread_ranges(self, run_id: int, number: int) -> list[NameRange]:
        """The projects whose pages have to be asked for, in up to ``number`` ranges of as many each."""
        size = max(1, -(-self.count_unread(run_id) // number))
        position = func.row_number().over(order_by=plan.c.project).label("position")
        unread = select(plan.c.project, position).where(plan.c.run_id == run_id, *_UNREAD).subquery()
        statement = select(unread.c.project).where(unread.c.position % size == (1 % size))
        with self._engine.connect().execution_options(reading=True) as connection:
            firsts = connection.execute(statement.order_by(unread.c.project)).scalars().all()
        return [NameRange(first=first, before=before) for first, before in zip_longest(firsts, firsts[1:])]

    def count_unread(self, run_id: int) -> int:
        """How many projects the run takes whose pages have to be asked for."""
        statement = select(func.count()).select_from(plan).where(plan.c.run_id == run_id, *_UNREAD)
        with self._engine.connect().execution_options(reading=True) as connection:
            return connection.execute(statement).scalar_one()

    def reading(self, run_id: int, *, since: int, now: int) -> Reading:
        """How far the run is with the pages of the projects it takes; ``since`` and ``now`` as for
        ``note_unread``. Asking takes as long as that does.
        """
        by_state = {state: and_(plan.c.unread, plan.c.state == state.value) for state in PlanState}
        counted = {
            "pending": by_state[PlanState.PENDING],
            "failed": by_state[PlanState.FAILED],
            "read": and_(~plan.c.unread, _entry(_is_read(since, now))),
        }
        statement = select(
            *(func.coalesce(func.sum(case((each, 1), else_=0)), 0) for each in counted.values())
        ).where(plan.c.run_id == run_id, _TAKEN, plan.c.action == Action.SYNC.value)
        with self._engine.connect().execution_options(reading=True) as connection:
            pending, failed, read = map(int, connection.execute(statement).one())
        return Reading(pages=pending + failed + read, read=read, failed=failed)

    def to_decide(self, run_id: int, selection: str) -> Iterator[PlannedProject]:
        """The projects of which the catalogue has what the plan needs, by name, taken or left, and those that
        were decided under another fingerprint than ``selection``, read or not; streamed.
        """
        otherwise = (
            select(projects.c.id)
            .where(
                projects.c.name == plan.c.project,
                projects.c.selection != selection,
                projects.c.status.not_in((REMOVING, REMOVED)),
            )
            .exists()
        )
        statement = (
            select(plan)
            .where(
                plan.c.run_id == run_id,
                or_(~plan.c.unread, plan.c.action == Action.REMOVE.value, otherwise),
                plan.c.state == PlanState.PENDING.value,
            )
            .order_by(plan.c.project)
        )
        for row in stream(self._engine, statement):
            yield _planned(row)

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
            .order_by(plan.c.new_bytes.desc(), plan.c.project)
        )
        with self._engine.connect().execution_options(reading=True) as connection:
            return [_planned(row) for row in connection.execute(statement)]

    def reopen_failed(self, run_id: int, batch: int | None = None) -> None:
        """Make the failed projects of a batch pending again, or all: its task is run once more.

        What they lose unannounced is weighed again.
        """
        one = () if batch is None else (plan.c.batch == batch,)
        with self._engine.begin() as connection:
            connection.execute(
                plan.update()
                .where(plan.c.run_id == run_id, *one, plan.c.state == PlanState.FAILED.value)
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
                    func.sum(plan.c.new_bytes),
                    func.min(plan.c.project),
                    func.max(plan.c.project),
                )
                .where(plan.c.run_id == run_id, plan.c.batch >= 0, *one)
                .group_by(plan.c.batch)
                .order_by(plan.c.batch)
            )
            return [
                BatchSize(
                    number=number,
                    projects=projects,
                    removals=int(removals),
                    new_bytes=int(new_bytes),
                    first=first,
                    last=last,
                )
                for number, projects, removals, new_bytes, first, last in rows
            ]

    def projects(self, run_id: int, state: PlanState | None = None) -> Iterator[PlannedProject]:
        """The planned projects by name, all or those in one state."""
        statement = select(plan).where(plan.c.run_id == run_id).order_by(plan.c.project)
        if state is not None:
            statement = statement.where(plan.c.state == state.value)
        for row in stream(self._engine, statement):
            yield _planned(row)

    def losing(self, run_id: int, *, besides_approved: bool = False) -> Iterator[PlannedProject]:
        """The planned projects by which the mirror loses a page or files, by name.

        With ``besides_approved`` without those of which a person has allowed as much in an earlier run.
        """
        statement = (
            select(plan)
            .where(plan.c.run_id == run_id, or_(plan.c.loses_project, plan.c.loses_files > 0))
            .order_by(plan.c.project)
        )
        if besides_approved:
            statement = statement.where(
                ~select(to_do.c.project)
                .where(
                    to_do.c.project == plan.c.project,
                    to_do.c.approved_in != run_id,
                    to_do.c.loses_project == plan.c.loses_project,
                    to_do.c.loses_files >= plan.c.loses_files,
                    to_do.c.loses_bytes >= plan.c.loses_bytes,
                )
                .exists()
            )
        for row in stream(self._engine, statement):
            yield _planned(row)

    def added_for_others(self, run_id: int, *, besides_approved: bool = False) -> tuple[int, int]:
        """How many projects come into the mirror only since others require them, and the bytes of all new
        files that are only required, as far as they are stated.

        With ``besides_approved`` without those that an earlier run has left after a person's approval.
        """
        is_new = ~exists().where(
            projects.c.name == plan.c.project, projects.c.status.not_in((REMOVING, REMOVED))
        )
        statement = (
            select(count_of(is_new), total(plan.c.new_bytes))
            .join(demands, demands.c.project == plan.c.project)
            .where(plan.c.run_id == run_id, plan.c.action == Action.SYNC.value, ~demands.c.named)
        )
        if besides_approved:
            statement = statement.where(
                ~exists().where(to_do.c.project == plan.c.project, to_do.c.approved_in.is_not(None))
            )
        with self._engine.connect().execution_options(reading=True) as connection:
            new, bytes_ = connection.execute(statement).one()
        return new, bytes_

    def note_decided(self, run_id: int, decided: Iterable[PlannedProject]) -> None:
        """Set what each of ``decided`` takes and loses."""
        for chunk in chunks(decided, _CHUNK):
            rows = [
                {
                    "run_id": run_id,
                    "project": each.project,
                    **{name: getattr(each, name) for name in _DECIDED},
                }
                for each in chunk
            ]
            with self._engine.begin() as connection:
                update_each(connection, plan, rows, key=("run_id", "project"))

    def totals(self, run_id: int, state: PlanState | None = None) -> "PlanTotals":
        """What the projects the run takes come to, all or those of ``state``, as far as their pages were
        read.
        """
        columns = [
            func.coalesce(func.sum(plan.c[name]), 0) for name in ("new_files", "new_bytes", "unsized_files")
        ]
        statement = select(*columns).where(plan.c.run_id == run_id, _TAKEN)
        if state is not None:
            statement = statement.where(plan.c.state == state.value)
        with self._engine.connect().execution_options(reading=True) as connection:
            files, size, unsized = connection.execute(statement).one()
        return PlanTotals(files=int(files), bytes=int(size), unsized_files=int(unsized))

    def progress(self, run_id: int) -> Progress:
        with self._engine.connect().execution_options(reading=True) as connection:
            rows = connection.execute(_PROGRESS.where(plan.c.run_id == run_id, _TAKEN)).all()
            open_batches = connection.execute(
                select(func.count(plan.c.batch.distinct())).where(
                    plan.c.run_id == run_id, plan.c.batch >= 0, plan.c.state == PlanState.PENDING.value
                )
            ).scalar_one()
            batches = connection.execute(
                select(func.count(plan.c.batch.distinct())).where(plan.c.run_id == run_id, plan.c.batch >= 0)
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


_WITHHELD: Final = select(backlog.c.project).where(backlog.c.error == LossHeld.__name__)
_TAKEN: Final = plan.c.batch != LEFT
_UNREAD: Final = (
    _TAKEN,
    plan.c.unread,
    plan.c.state == PlanState.PENDING.value,
    plan.c.action == Action.SYNC.value,
)
_DECIDED: Final = ("new_files", "new_bytes", "unsized_files", "loses_project", "loses_files", "loses_bytes")
# Whether an entry of the catalogue is as new as a row of the plan wants.
_IS_AS_NEW: Final = case(
    (plan.c.gone, and_(catalogue.c.state == EntryState.GONE.value, catalogue.c.announced >= plan.c.serial)),
    (catalogue.c.state == EntryState.GONE.value, false()),
    (plan.c.exact, catalogue.c.serial >= plan.c.serial),
    else_=or_(catalogue.c.serial >= plan.c.serial, catalogue.c.announced >= plan.c.serial),
)


def _is_read(since: int, now: int) -> ColumnElement[bool]:
    """Whether an entry of the catalogue was read after ``since``, and not by a clock that was ahead.

    What upstream has announced later does not count as read: a run that is retried may hear of more.
    """
    return and_(
        catalogue.c.checked_at.between(since + 1, now + _AHEAD),
        or_(plan.c.serial.is_(None), catalogue.c.announced >= plan.c.serial),
    )


def _entry(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether the project of a row of the plan has an entry that fulfils ``condition``."""
    return (
        select(catalogue.c.name)
        .where(catalogue.c.name == plan.c.project, catalogue.c.encoding == ENCODING, condition)
        .exists()
    )


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
        "unread": project.unread,
        "new_files": project.new_files,
        "new_bytes": project.new_bytes,
        "unsized_files": project.unsized_files,
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
        unread=row.unread,
        new_files=row.new_files,
        new_bytes=row.new_bytes,
        unsized_files=row.unsized_files,
        loses_project=row.loses_project,
        loses_files=row.loses_files,
        loses_bytes=row.loses_bytes,
    )
