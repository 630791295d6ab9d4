"""What projects would bring into the mirror if [allowlist] named them: read from upstream, kept nowhere."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.catalogue import EntryState, decode_page
from pypi_mirror.chunks import chunks
from pypi_mirror.errors import MirrorError
from pypi_mirror.ledger.results import Failed
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Action, PlannedProject, RunKind
from pypi_mirror.observing.asked_for_names import require_upstream
from pypi_mirror.observing.dependencies import Unmet, unmet
from pypi_mirror.options.packages import ReleaseRule, format_package
from pypi_mirror.planning.decide_plan import decided
from pypi_mirror.planning.following import named_rules
from pypi_mirror.planning.list_projects import list_projects
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.follow_dependencies import follow_waves
from pypi_mirror.runs.read_pages import read_pages
from pypi_mirror.settings.values import Settings


class Brought(Struct, frozen=True, kw_only=True):
    """A project that comes, or of which more comes: ``named`` itself or required. ``here``: the mirror has
    it; ``new_files`` are not here yet, ``unsized_files`` of them with a size that upstream does not state.
    """

    project: NormalizedName
    named: bool
    here: bool
    new_files: int
    new_bytes: int
    unsized_files: int


class Preview(Struct, frozen=True, kw_only=True):
    """All that the roots bring. ``follows``: with their dependencies; ``unmet`` is what of these the mirror
    would not have, ``failed`` what upstream did not answer for.
    """

    follows: bool
    projects: tuple[Brought, ...]
    unmet: tuple[Unmet, ...]
    failed: tuple[Failed, ...]


def allowing(settings: Settings, rules: Sequence[ReleaseRule]) -> Settings:
    """The settings of a mirror whose allowlist has these rules alone; its other filters stay."""
    others = (each for each in settings.policy.filters if not isinstance(each, AllowedPackages))
    return replace(settings, policy=Policy(*others, AllowedPackages(packages=tuple(rules))))


def preview_roots(
    mirror: Mirror, label: str, *, on_followed: Callable[[int], None] = lambda _: None
) -> Preview:
    """What the allowlist of ``mirror`` brings, which is open to plan, as upstream is now.

    Raises MirrorError for a project that upstream does not have or the filters leave out, and for a rule that
    no release or no environment meets.
    """
    mirror.ledger.dependencies.begin_apart()
    roots = tuple(sorted(mirror.policy.allowed.projects))
    if idle := [rule for rule in mirror.policy.allowed.packages if rule.project not in roots]:
        raise MirrorError(f"no environment of [platform] environments needs {format_package(idle[0])}")
    request = RunRequest(label=label, kind=RunKind.SELECTED, projects=roots, dry_run=True)
    run_id = fetch_changelog(mirror, request).run_id
    require_upstream(mirror, roots)
    run = mirror.ledger.runs.get(run_id)
    if mirror.policy.follows:
        mirror.ledger.dependencies.name(run.id, named_rules(mirror))
        failed = follow_waves(mirror, run, on_followed=on_followed)
        names = [each.project for each in mirror.ledger.dependency_graph.projects()]
    else:
        list_projects(mirror, run.id)
        failed, names = read_pages(mirror, run.id).failed, list(roots)
    lost = {each.planned.project for each in failed}
    _require_releases(mirror, [name for name in roots if name not in lost])
    planned = tuple(_planned(mirror, names, lost))
    here = _here(mirror, names)
    return Preview(
        follows=mirror.policy.follows,
        projects=tuple(
            Brought(
                project=each.project,
                named=each.project in roots,
                here=each.project in here,
                new_files=each.new_files,
                new_bytes=each.new_bytes,
                unsized_files=each.unsized_files,
            )
            for each in decided(mirror, planned)
        ),
        unmet=unmet(mirror) if mirror.policy.follows else (),
        failed=failed,
    )


def _require_releases(mirror: Mirror, roots: Sequence[NormalizedName]) -> None:
    """Raise MirrorError, naming each, where upstream has no release that a rule admits."""
    pages = (decode_page(mirror.ledger.catalogue.body(name), project=name, etag=None) for name in roots)
    if unmet := [root.rule for page in pages for root in mirror.policy.unmet(page)]:
        raise MirrorError(f"upstream has no release that {', '.join(unmet)} admits")


def _planned(
    mirror: Mirror, names: Sequence[NormalizedName], lost: Collection[NormalizedName]
) -> Iterator[PlannedProject]:
    """Those that upstream has, or has not answered for, and no filter leaves out."""
    for chunk in chunks(names):
        entries = mirror.ledger.catalogue.entries(chunk, with_pages=False)
        for name in chunk:
            entry = entries.get(name)
            has = entry is not None and entry.state is EntryState.PAGE
            if (has or name in lost) and mirror.policy.rejection_reason(name) is None:
                yield PlannedProject(
                    project=name,
                    display_name=name,
                    action=Action.SYNC,
                    reason="it would be added",
                    unread=name in lost,
                )


def _here(mirror: Mirror, names: Sequence[NormalizedName]) -> frozenset[NormalizedName]:
    return frozenset(
        name
        for chunk in chunks(names)
        for name, known in mirror.ledger.projects.known(chunk).items()
        if known.present
    )
