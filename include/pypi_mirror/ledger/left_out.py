"""What the mirror's pages lack of upstream's: files that could not be downloaded, and what was refused."""

from collections.abc import Sequence

from msgspec import Struct
from packaging.utils import NormalizedName
from sqlalchemy import ColumnElement, Engine, and_, func, select

from pypi_mirror.ledger.reading import fetch
from pypi_mirror.ledger.tables import left_out, projects
from pypi_mirror.model import Refused


class LeftOut(Struct, frozen=True, kw_only=True):
    """A part of upstream's page of ``project`` that ours lacks.

    ``error`` is the error's class where it could not be downloaded and is tried again, None where it is
    refused.
    """

    project: NormalizedName
    part: Refused
    error: str | None

    def __str__(self) -> str:
        return f"{self.project}: {self.part}"


class LeftOutTotals(Struct, frozen=True, kw_only=True):
    """``projects`` lack something; ``files`` are refused files, ``fields`` refused values."""

    projects: int = 0
    files: int = 0
    fields: int = 0


_IS_REFUSED = left_out.c.error.is_(None)


class LeftOuts:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, projects_: Sequence[NormalizedName]) -> dict[NormalizedName, list[LeftOut]]:
        """What the pages of these projects lack; those that lack nothing are not in it."""
        found: dict[NormalizedName, list[LeftOut]] = {}
        for each in self._read(projects.c.name.in_(projects_)):
            found.setdefault(each.project, []).append(each)
        return found

    def refused(self, *, run_id: int | None = None, limit: int) -> list[LeftOut]:
        """What is refused, by project; in a page that the run of this id made, or in any."""
        condition = _IS_REFUSED if run_id is None else and_(_IS_REFUSED, left_out.c.run_id == run_id)
        return self._read(condition, limit=limit)

    def failed_with(self, error: str, *, limit: int) -> list[LeftOut]:
        """What could not be downloaded for an ``error`` of this class, by project."""
        return self._read(left_out.c.error == error, limit=limit)

    def totals(self, *, run_id: int | None = None) -> LeftOutTotals:
        """How much is refused; in pages that the run of this id made, or in all."""
        statement = select(
            func.count(left_out.c.project_id.distinct()),
            func.count(),
            func.count(left_out.c.field),
        ).where(_IS_REFUSED)
        if run_id is not None:
            statement = statement.where(left_out.c.run_id == run_id)
        touched, parts, fields = fetch(self._engine, statement)[0]
        return LeftOutTotals(projects=touched, files=parts - fields, fields=fields)

    def _read(self, condition: ColumnElement[bool], *, limit: int | None = None) -> list[LeftOut]:
        statement = (
            select(
                projects.c.name, left_out.c.filename, left_out.c.field, left_out.c.reason, left_out.c.error
            )
            .join(projects, projects.c.id == left_out.c.project_id)
            .where(condition)
            .order_by(projects.c.name, left_out.c.position)
            .limit(limit)
        )
        return [
            LeftOut(
                project=NormalizedName(name),
                part=Refused(filename=filename, field=field, reason=reason),
                error=error,
            )
            for name, filename, field, reason, error in fetch(self._engine, statement)
        ]
