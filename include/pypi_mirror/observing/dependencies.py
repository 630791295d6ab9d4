"""Who requires whom, and what is required and is not here, for people and for JSON."""

from collections.abc import Sequence

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.ledger.dependencies import RequiredBy
from pypi_mirror.mirror import Mirror
from pypi_mirror.policy.required import Edge


class Requirement(Struct, frozen=True, kw_only=True):
    """That releases of ``project`` require ``text`` (``example[fast]>=2; python_version < "3.12"``): those
    from ``first`` to ``last`` by version, ``releases`` in number, with ``extra`` where it is not empty.
    """

    project: NormalizedName
    text: str
    first: str
    last: str
    releases: int
    extra: str

    def __str__(self) -> str:
        extra = f"[{self.extra}]" if self.extra else ""
        versions = self.first if self.first == self.last else f"{self.first} to {self.last}"
        return f"{self.project}{extra} {versions} requires {self.text}"


class Unmet(Struct, frozen=True, kw_only=True):
    """A requirement (``example>=2``) that nothing here meets, and why, as half a sentence."""

    project: NormalizedName
    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


class Dependencies(Struct, frozen=True, kw_only=True):
    """How many projects the allowlist ``named``, how many these have ``required``, and what is ``unmet``."""

    named: int
    required: int
    unmet: tuple[Unmet, ...]


def dependencies(mirror: Mirror) -> Dependencies | None:
    """What was followed so far; None where dependencies are not followed."""
    if not mirror.policy.follows:
        return None
    named, required = mirror.ledger.dependencies.count()
    unmet = tuple(
        Unmet(project=project, what=lack.what, reason=lack.reason)
        for project, lacks in mirror.ledger.dependencies.lacks()
        for lack in lacks
    )
    return Dependencies(named=named, required=required, unmet=unmet)


def required_by(mirror: Mirror, project: NormalizedName) -> tuple[Requirement, ...]:
    """Who requires ``project``, by name."""
    found = mirror.ledger.dependencies.requiring(project)
    return _requirements(found) if mirror.policy.follows else ()


def requirements_of(mirror: Mirror, project: NormalizedName) -> tuple[Requirement, ...]:
    """What ``project`` requires."""
    found = mirror.ledger.dependencies.required_by(project)
    return _requirements(found) if mirror.policy.follows else ()


def chain_to(mirror: Mirror, project: NormalizedName) -> tuple[NormalizedName, ...]:
    """The shortest way from what the allowlist names to ``project``."""
    return tuple(mirror.ledger.dependencies.chain(project)) if mirror.policy.follows else ()


def _requirements(found: Sequence[RequiredBy]) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(
            project=each.source,
            text=_text(each.target, edge),
            first=edge.first,
            last=edge.last,
            releases=edge.releases,
            extra=edge.extra,
        )
        for each in found
        for edge in each.edges
    )


def _text(project: NormalizedName, edge: Edge) -> str:
    extras = f"[{','.join(edge.extras)}]" if edge.extras else ""
    marker = f"; {edge.marker}" if edge.marker else ""
    return f"{project}{extras}{edge.specifier}{marker}"
