"""Who requires whom, and what is required and is not here, for people and for JSON."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.clock import utc
from pypi_mirror.ledger.dependency_graph import RequiredBy
from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.paging import BadKey, Page, one_more, page_of, shown
from pypi_mirror.planning.following import is_all_followed, is_undecided, undemanded_seconds
from pypi_mirror.policy.required import Edge
from pypi_mirror.wording import moment_of


class Requirement(Struct, frozen=True, kw_only=True):
    """That releases of ``project`` require ``text`` (``example[fast]>=2; python_version < "3.12"``) of
    ``requires``: those from ``first`` to ``last`` by version, ``releases`` in number, with ``extra`` where it
    is not empty, and only ``to_build`` them where that is set.
    """

    project: NormalizedName
    requires: NormalizedName
    text: str
    first: str
    last: str
    releases: int
    extra: str
    to_build: bool

    def __str__(self) -> str:
        extra = f"[{self.extra}]" if self.extra else ""
        versions = self.first if self.first == self.last else f"{self.first} to {self.last}"
        return f"{self.project}{extra} {versions} requires {self.text}{' to build' if self.to_build else ''}"


class Unmet(Struct, frozen=True, kw_only=True):
    """A requirement (``example>=2``) that nothing here meets, and why, as half a sentence."""

    project: NormalizedName
    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


class Cut(Struct, frozen=True, kw_only=True):
    """``releases`` of a project (``example 1.0, 1.1 and 8 others``) that are left out though requirements, or
    the allowlist, admit them, and why, as half a sentence. Others may meet the same requirements.
    """

    project: NormalizedName
    what: str
    releases: int
    reason: str


class Dependencies(Struct, frozen=True, kw_only=True):
    """How many projects the allowlist ``named``, how many these have ``required``, what is ``unmet`` and what
    was ``cut``; ``complete`` says whether all was followed by the rules in force. So many are
    ``no_longer_required``, and the first of them leaves at ``leaves_at``.
    """

    named: int
    required: int
    complete: bool
    unmet: tuple[Unmet, ...]
    cut: tuple[Cut, ...]
    no_longer_required: int
    leaves_at: datetime | None


class DependencyCounts(Struct, frozen=True, kw_only=True):
    """How many projects the allowlist names and these require, and how many requirements are unmet; the rest
    as above.
    """

    named: int
    required: int
    complete: bool
    unmet: int
    no_longer_required: int
    leaves_at: datetime | None


def dependencies(mirror: Mirror) -> Dependencies | None:
    """What was followed so far; None where dependencies are not followed."""
    if not _follows(mirror):
        return None
    named, required = mirror.ledger.dependency_graph.count()
    since = mirror.ledger.dependency_graph.undemanded()
    return Dependencies(
        named=named,
        required=required,
        complete=is_all_followed(mirror),
        unmet=unmet(mirror),
        cut=tuple(
            Cut(project=project, what=lack.what, releases=lack.releases, reason=lack.reason)
            for project, lacks in mirror.ledger.dependency_graph.lacks()
            for lack in lacks
            if lack.releases
        ),
        no_longer_required=len(since),
        leaves_at=utc(min(since.values()) + undemanded_seconds(mirror.settings)) if since else None,
    )


def why_selected(mirror: Mirror, project: NormalizedName) -> str:
    """Why ``project`` is mirrored, or why it is not, as far as that is known; what nothing requires any more
    says until when.
    """
    if is_undecided(mirror, project):
        unknown = "whether others require it is not known until a sync has followed all dependencies"
        return f"{mirror.policy.reason_for(project)}; {unknown}"
    since = mirror.ledger.dependency_graph.undemanded(project).get(project) if _follows(mirror) else None
    if since is None or mirror.policy.rejection_reason(project) is not None:
        return mirror.policy.reason_for(project)
    leaves_at = moment_of(since + undemanded_seconds(mirror.settings))
    return f"nothing requires it any more; it leaves at {leaves_at}, by [removal] undemanded-days"


def count_dependencies(mirror: Mirror) -> DependencyCounts | None:
    """The figures of ``dependencies``."""
    found = dependencies(mirror)
    if found is None:
        return None
    return shown(DependencyCounts, found, unmet=len(found.unmet))


def unmet_page(mirror: Mirror, after: str | None = None, limit: int = 50) -> Page[Unmet]:
    """What is required and not here, by project; ``after`` is the ``next`` of the page before.

    Raises BadKey for another ``after``.
    """
    if after is not None and not (after.isascii() and after.isdecimal() and len(after) < 10):
        raise BadKey(after)
    begin = int(after or 0)
    every = unmet(mirror) if _follows(mirror) else ()
    found = dict(enumerate(every[begin : begin + one_more(limit)], begin + 1))
    return page_of(tuple(found.items()), limit, show=lambda each: each[1], key=lambda each: str(each[0]))


def required_by(mirror: Mirror, project: NormalizedName) -> tuple[Requirement, ...]:
    """Who requires ``project``, by name."""
    return _requirements(mirror.ledger.dependency_graph.requiring(project)) if _follows(mirror) else ()


def requirements_of(mirror: Mirror, project: NormalizedName) -> tuple[Requirement, ...]:
    """What ``project`` requires."""
    return _requirements(mirror.ledger.dependency_graph.required_by(project)) if _follows(mirror) else ()


def required_by_page(
    mirror: Mirror, project: NormalizedName, after: str | None = None, limit: int = 50
) -> Page[tuple[Requirement, ...]]:
    """Who requires ``project``, those after the project ``after``; an item is all that one of them says."""
    found = mirror.ledger.dependency_graph.requiring(project, after=after, limit=one_more(limit))
    return page_of(
        found if _follows(mirror) else (),
        limit,
        show=lambda each: _requirements([each]),
        key=lambda each: each.source,
    )


def requirements_page(
    mirror: Mirror, project: NormalizedName, after: str | None = None, limit: int = 50
) -> Page[tuple[Requirement, ...]]:
    """What ``project`` requires, those after the project ``after``, as above."""
    found = mirror.ledger.dependency_graph.required_by(project, after=after, limit=one_more(limit))
    return page_of(
        found if _follows(mirror) else (),
        limit,
        show=lambda each: _requirements([each]),
        key=lambda each: each.target,
    )


def chain_to(mirror: Mirror, project: NormalizedName) -> tuple[NormalizedName, ...]:
    """The shortest way from what the allowlist names to ``project``."""
    return tuple(mirror.ledger.dependency_graph.chain(project)) if _follows(mirror) else ()


def _follows(mirror: Mirror) -> bool:
    return mirror.resolved.policy.follows


def unmet(mirror: Mirror) -> tuple[Unmet, ...]:
    """What is required and not here."""
    return tuple(
        Unmet(project=project, what=lack.what, reason=lack.reason)
        for project, lacks in mirror.ledger.dependency_graph.lacks()
        for lack in lacks
        if not lack.releases
    )


def _requirements(found: Sequence[RequiredBy]) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(
            project=each.source,
            requires=each.target,
            text=_text(each.target, edge),
            first=edge.first,
            last=edge.last,
            releases=edge.releases,
            extra=edge.extra,
            to_build=edge.to_build,
        )
        for each in found
        for edge in each.edges
    )


def _text(project: NormalizedName, edge: Edge) -> str:
    extras = f"[{','.join(edge.extras)}]" if edge.extras else ""
    marker = f"; {edge.marker}" if edge.marker else ""
    return f"{project}{extras}{edge.specifier}{marker}"
