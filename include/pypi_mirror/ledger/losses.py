"""What upstream's pages have lost that nothing announced, over a whole run."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from packaging.utils import NormalizedName
from sqlalchemy import Engine, bindparam, func, or_, select, update

from pypi_mirror.errors import LossHeld
from pypi_mirror.ledger.lease import hold
from pypi_mirror.ledger.projects import REMOVED, REMOVING, Totals
from pypi_mirror.ledger.reading import count_of, fetch, fetch_as, total
from pypi_mirror.ledger.tables import backlog, plan, projects
from pypi_mirror.ledger.writing import for_each
from pypi_mirror.model import Loss


class Lost(Struct, frozen=True, kw_only=True):
    """A sum of losses; ``touched`` counts the projects that lose their page or files."""

    touched: int
    projects: int
    files: int
    bytes: int


class Losses:
    """The losses of run ``run_id``, in its plan's rows."""

    def __init__(self, engine: Engine, run_id: int) -> None:
        self._engine = engine
        self._run_id = run_id

    def add(self, losses: Mapping[NormalizedName, Loss]) -> Lost:
        """Note ``losses`` and return the sum of all that the run has found.

        Projects that earlier runs have withheld and that still wait on the backlog are in it, without their
        files.
        Raises LeaseLost when another run has taken the mirror over.
        """
        mine = plan.c.run_id == self._run_id
        lost = or_(plan.c.lost_project, plan.c.lost_files > 0)
        note = (
            update(plan)
            .where(mine, plan.c.project == bindparam("project_"))
            .values(
                lost_project=bindparam("gone_"),
                lost_files=bindparam("files_"),
                lost_bytes=bindparam("bytes_"),
            )
        )
        sums = select(
            func.count(), count_of(plan.c.lost_project), total(plan.c.lost_files), total(plan.c.lost_bytes)
        ).where(mine, lost)
        held = select(func.count()).where(
            backlog.c.error == LossHeld.__name__,
            ~select(plan.c.project).where(mine, lost, plan.c.project == backlog.c.project).exists(),
        )
        with self._engine.begin() as connection:
            hold(connection, self._run_id, alone=True)
            connection.execute(
                note,
                [
                    {"project_": project, "gone_": loss.project, "files_": loss.files, "bytes_": loss.bytes}
                    for project, loss in losses.items()
                ],
            )
            touched, gone, files, bytes_ = connection.execute(sums).one()
            waiting = connection.execute(held).scalar_one()
        return Lost(touched=touched + waiting, projects=gone + waiting, files=files, bytes=bytes_)

    def forget(self, names: Sequence[NormalizedName]) -> None:
        """Take back what was noted of ``names``: they lose nothing."""
        nothing = update(plan).values(lost_project=False, lost_files=0, lost_bytes=0)
        mine = nothing.where(plan.c.run_id == self._run_id, plan.c.project == bindparam("project_"))
        for_each(self._engine, mine, "project_", names)

    def followed(self, *, limit: int) -> list[tuple[NormalizedName, Loss]]:
        """The losses that were not held back, by project, ``limit`` at most."""
        statement = (
            select(plan.c.project, plan.c.lost_project, plan.c.lost_files, plan.c.lost_bytes)
            .where(
                plan.c.run_id == self._run_id,
                or_(plan.c.lost_project, plan.c.lost_files > 0),
                ~select(backlog.c.project)
                .where(backlog.c.project == plan.c.project, backlog.c.error == LossHeld.__name__)
                .exists(),
            )
            .order_by(plan.c.project)
            .limit(limit)
        )
        return [
            (NormalizedName(project), Loss(project=gone, files=files, bytes=bytes_))
            for project, gone, files, bytes_ in fetch(self._engine, statement)
        ]

    def asked_for(self) -> Totals:
        """What the mirror holds of the run's projects. Takes a second in a plan of 800,000."""
        statement = (
            select(
                func.count().label("projects"),
                total(projects.c.files).label("files"),
                total(projects.c.bytes).label("bytes"),
            )
            .join(plan, plan.c.project == projects.c.name)
            .where(plan.c.run_id == self._run_id, projects.c.status.not_in((REMOVING, REMOVED)))
        )
        return fetch_as(self._engine, statement, Totals)[0]
