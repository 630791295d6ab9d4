"""What dependencies were followed, for those who look: who requires whom, and what nothing here meets."""

from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct
from packaging.utils import NormalizedName
from sqlalchemy import Engine, Select, func, select

from pypi_mirror.ledger.dependencies import DEMANDS, Lack
from pypi_mirror.ledger.reading import fetch, project_names, scalar
from pypi_mirror.ledger.tables import demands, projects, requirements
from pypi_mirror.policy.required import Edge


class RequiredBy(Struct, frozen=True, kw_only=True):
    """That ``source`` requires ``target``."""

    source: NormalizedName
    target: NormalizedName
    edges: tuple[Edge, ...]


class Followed(NamedTuple):
    """A project that the allowlist names or others require, and the bytes of its files that pages list."""

    project: NormalizedName
    named: bool
    bytes: int


_EDGES: Final = msgspec.json.Decoder(tuple[Edge, ...])
_LACKS: Final = msgspec.json.Decoder(tuple[Lack, ...])


class DependencyGraph:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def undemanded(self, project: NormalizedName | None = None) -> dict[NormalizedName, int]:
        """The projects that nothing requires any more and that are not gone yet, all or the one, and since
        when, in seconds since 1970.
        """
        statement = select(demands.c.project, demands.c.demands).where(~demands.c.reached, ~demands.c.named)
        if project is not None:
            statement = statement.where(demands.c.project == project)
        found = {}
        for name, body in fetch(self._engine, statement):
            since = [each.undemanded_since for each in DEMANDS.decode(body)]
            # While all is followed again, what was not found yet is no news.
            known = [each for each in since if each is not None]
            if known and len(known) == len(since):
                found[NormalizedName(name)] = max(known)
        return found

    def count(self) -> tuple[int, int]:
        """How many projects the allowlist names, and how many others they require."""
        named = scalar(self._engine, select(func.count()).where(demands.c.reached, demands.c.named))
        others = scalar(self._engine, select(func.count()).where(demands.c.reached, ~demands.c.named))
        return named or 0, others or 0

    def lacks(self) -> list[tuple[NormalizedName, tuple[Lack, ...]]]:
        """What is required and is not here, by project."""
        statement = (
            select(demands.c.project, demands.c.lacks)
            .where(demands.c.reached, demands.c.lacks.is_not(None))
            .order_by(demands.c.project)
        )
        return [(NormalizedName(name), _LACKS.decode(body)) for name, body in fetch(self._engine, statement)]

    def requiring(
        self, target: NormalizedName, *, after: str | None = None, limit: int | None = None
    ) -> list[RequiredBy]:
        """Who requires ``target``, by name, the first ``limit`` of those after ``after``."""
        statement = select(requirements).where(requirements.c.target == target)
        return self._edges(statement.order_by(requirements.c.source), requirements.c.source, after, limit)

    def required_by(
        self, source: NormalizedName, *, after: str | None = None, limit: int | None = None
    ) -> list[RequiredBy]:
        """What ``source`` requires, by name, as above."""
        statement = select(requirements).where(requirements.c.source == source)
        return self._edges(statement.order_by(requirements.c.target), requirements.c.target, after, limit)

    def chain(self, target: NormalizedName) -> list[NormalizedName]:
        """The shortest way from a project that the allowlist names to ``target``; empty without one."""
        came_from: dict[NormalizedName, NormalizedName | None] = {target: None}
        level = [target]
        while level:
            named = project_names(
                self._engine,
                select(demands.c.project).where(demands.c.project.in_(level), demands.c.named),
            )
            if named:
                way = [min(named)]
                while (following := came_from[way[-1]]) is not None:
                    way.append(following)
                return way
            statement = select(requirements.c.source, requirements.c.target).where(
                requirements.c.target.in_(level)
            )
            found = sorted(map(tuple, fetch(self._engine, statement)))
            level = []
            for source, following in found:
                if source not in came_from:
                    came_from[source] = following
                    level.append(source)
        return []

    def projects(self) -> list[Followed]:
        """All that the allowlist names or requires, by name."""
        statement = (
            select(demands.c.project, demands.c.named, func.coalesce(projects.c.bytes, 0))
            .join(projects, projects.c.name == demands.c.project, isouter=True)
            .where(demands.c.reached)
            .order_by(demands.c.project)
        )
        return [Followed(*row) for row in fetch(self._engine, statement)]

    def pairs(self) -> list[tuple[NormalizedName, NormalizedName]]:
        """Which project requires which."""
        statement = select(requirements.c.source, requirements.c.target)
        return [(source, target) for source, target in fetch(self._engine, statement)]

    def _edges(
        self, statement: Select[*tuple[Any, ...]], key: Any, after: str | None, limit: int | None
    ) -> list[RequiredBy]:
        page = statement if after is None else statement.where(key > after)
        return [
            RequiredBy(source=source, target=target, edges=_EDGES.decode(edges))
            for source, target, edges in fetch(self._engine, page.limit(limit))
        ]
