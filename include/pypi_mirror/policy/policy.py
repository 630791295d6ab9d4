"""The policy of one mirror: its filters, composed, which decide over projects and over files."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.policy.demanded import Demanded
from pypi_mirror.policy.filter import Context, F, Filter, Hold, Stage, find
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.dependencies_follow import Dependencies
from pypi_mirror.policy.roots import Root

NOTHING_KNOWN: Final = Context()


class DroppedFile(Struct, frozen=True, kw_only=True):
    """A file that is not mirrored; ``reason`` names the setting that says so."""

    file: RemoteFile
    reason: str


class HeldFile(Struct, frozen=True, kw_only=True):
    """A file that is mirrored and not listed before ``due`` (seconds since 1970); ``since`` is when its time
    began, ``reason`` names the setting.
    """

    file: RemoteFile
    since: int
    due: int
    reason: str


class Refusal(Struct, frozen=True, kw_only=True):
    """A rule that excludes a file: the setting (``[blocklist] platforms``), and half a sentence. One that
    ``holds`` it excludes it for a time.
    """

    setting: str
    reason: str
    holds: bool = False


class Decision(Struct, frozen=True, kw_only=True):
    """Every file of a project page, in the page's order: ``kept`` is listed, ``held`` waits, the rest goes.

    ``rejected`` says why the whole project is not mirrored, by what its page says; None where it is.
    ``changes_at`` is when the time alone takes the next file off (seconds since 1970), None for never.
    """

    kept: tuple[RemoteFile, ...]
    dropped: tuple[DroppedFile, ...]
    held: tuple[HeldFile, ...] = ()
    rejected: str | None = None
    changes_at: int | None = None


class Policy:
    """Decides over projects and files. Pure: the same filters and page always give the same decision."""

    def __init__(self, *filters: Filter) -> None:
        """Filters whose options have no value take no part; the others apply in the order of ``Stage``."""
        taking_part = sorted((each for each in filters if each.takes_part), key=lambda each: each.order)
        self.filters = tuple(each.beside(taking_part) for each in taking_part)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self.filters == other.filters

    def __hash__(self) -> int:
        return hash(self.filters)

    def __repr__(self) -> str:
        return f"Policy({', '.join(map(repr, self.filters))})"

    def of(self, kind: type[F]) -> F:
        """Return the filter of this kind; one that takes no part has no values."""
        return find(kind, self.filters) or kind()

    def with_demands(self, demanded: Demanded) -> "Policy":
        """Return the same rules beside what was found that the allowlist requires."""
        others = (each for each in self.filters if not isinstance(each, AllowedPackages))
        return Policy(*others, replace(self.allowed, demanded=demanded))

    @property
    def follows(self) -> bool:
        """Whether what the allowlist requires is mirrored too."""
        return self.of(Dependencies).follows and bool(self.allowed.roots.every)

    @cached_property
    def allowed(self) -> AllowedPackages:
        """The filter that says what is wanted."""
        return self.of(AllowedPackages)

    @cached_property
    def named_projects(self) -> frozenset[NormalizedName]:
        """What the allowlist names and no other filter rejects."""
        return frozenset(name for name in self.allowed.projects if self.rejection_reason(name) is None)

    @cached_property
    def by_file(self) -> "Policy":
        """The filters that judge each file by itself, for files of which upstream's page says nothing."""
        return Policy(
            *(
                each
                for each in self.filters
                if each.stage < Stage.TIMES and type(each).reject_page is Filter.reject_page
            )
        )

    def rejection_reason(self, project: NormalizedName) -> str | None:
        """Return why ``project`` is not mirrored, for people; None when it is."""
        return next((reason for each in self._by_project if (reason := each.reject_project(project))), None)

    def reason_for(self, project: NormalizedName) -> str:
        """Return why ``project`` is mirrored, or why it is not, for people."""
        return self.rejection_reason(project) or self.allowed.reason_to_admit(project)

    def decide(self, page: ProjectPage, context: Context = NOTHING_KNOWN) -> Decision:
        """Return which files of ``page`` are mirrored; of a project that is not selected, none."""
        rejected = self.rejection_reason(page.name) or next(self._page_refusals(page), None)
        if rejected is not None:
            return Decision(
                kept=(),
                dropped=tuple(DroppedFile(file=file, reason=rejected) for file in page.files),
                rejected=rejected,
            )
        kept = page.files
        reasons: dict[str, str] = {}
        held: list[HeldFile] = []
        changes: list[int] = []
        for each in self.filters:
            if (moment := each.changes_at(page.name, kept, context)) is not None:
                changes.append(moment)
            found = dict(each.reject_files(page.name, kept, context))
            for file, hold in _holds(each, page.name, kept, context):
                if hold.due is None:
                    found[file.filename] = hold.reason
                else:
                    held.append(HeldFile(file=file, since=hold.since, due=hold.due, reason=hold.reason))
            if found or held:
                reasons.update(found)
                out = found.keys() | {each.file.filename for each in held}
                kept = tuple(file for file in kept if file.filename not in out)
        dropped = (file for file in page.files if file.filename in reasons)
        return Decision(
            kept=kept,
            dropped=tuple(DroppedFile(file=file, reason=reasons[file.filename]) for file in dropped),
            held=tuple(held),
            changes_at=min(changes, default=None),
        )

    @cached_property
    def holds(self) -> bool:
        """Whether files may have to wait."""
        return any(type(each).hold is not Filter.hold for each in self.filters)

    @cached_property
    def depends_on_time(self) -> bool:
        """Whether the same page may be decided otherwise at another time."""
        return self.holds or any(type(each).changes_at is not Filter.changes_at for each in self.filters)

    def refusals(
        self, page: ProjectPage, context: Context = NOTHING_KNOWN
    ) -> Mapping[str, tuple[Refusal, ...]]:
        """Return all that excludes files of a selected project, by file name, that of ``decide`` first. Where
        one setting excludes a file twice, the later reason is the closer one.

        A filter sees the files that earlier ones keep, as when deciding; then it is asked about the others,
        unless it counts: which of them it would keep says nothing.
        """
        of_page = [
            Refusal(setting=each.setting_for(page.name, reason), reason=reason)
            for each in self.filters
            if (reason := each.reject_page(page)) is not None
        ]
        found: defaultdict[str, list[Refusal]] = defaultdict(list)
        if of_page:
            found.update((file.filename, list(of_page)) for file in page.files)
        for each in self.filters:
            kept = [file for file in page.files if file.filename not in found]
            held = _holds(each, page.name, page.files, context)
            others = [file for file in page.files if file.filename in found and each.stage <= Stage.TIMES]
            for filename, reason in (
                *each.reject_files(page.name, kept, context).items(),
                *each.reject_files(page.name, others, context).items(),
            ):
                setting = each.setting_for(page.name, reason)
                _put(found[filename], Refusal(setting=setting, reason=reason))
            for file, hold in held:
                found[file.filename].append(
                    Refusal(
                        setting=each.setting_for(page.name, hold.reason),
                        reason=hold.reason,
                        holds=hold.due is not None,
                    )
                )
        return {filename: tuple(refusals) for filename, refusals in found.items()}

    def admitted_by(self, project: NormalizedName, file: RemoteFile) -> Root | None:
        """Return the rule of ``[allowlist]`` that asks for the file, if one does."""
        return self.allowed.admitted_by(project, file)

    def locked_by(self, project: NormalizedName, sha256: str) -> str | None:
        """Return which requirement or lock file names the file by its digest, if one does."""
        root = self.allowed.roots.locked.get(sha256)
        return root.by if root is not None and root.project == project else None

    @property
    def has_locks(self) -> bool:
        """Whether a requirement or lock file names any file by its digest."""
        return bool(self.allowed.roots.locked)

    def keeps_removed(self, filename: str, sha256: str) -> bool:
        """Whether a file that upstream removed stays: a lock file names it, and no filter excludes it."""
        root = self.allowed.roots.locked.get(sha256)
        if root is None:
            return False
        file = RemoteFile(filename=filename, url="", hashes=(("sha256", sha256),))
        page = ProjectPage(name=root.project, serial=None, etag=None, files=(file,))
        return bool(self.by_file.decide(page).kept)

    def unmet(self, page: ProjectPage) -> Sequence[Root]:
        """Return the rules of ``[allowlist]`` that no file of ``page`` meets."""
        return self.allowed.roots.unmet(page.name, page.files)

    def asked_by(self, project: NormalizedName) -> str:
        """Return the option, or the file and line, that names ``project``."""
        return next((root.by for root in self.allowed.roots.of(project)), "")

    def asks_for(self, project: NormalizedName, rule: str, by: str) -> bool:
        """Whether ``[allowlist]`` has this rule for ``project``, which no filter rejects."""
        found = any((root.rule, root.by) == (rule, by) for root in self.allowed.roots.of(project))
        return found and self.rejection_reason(project) is None

    def sentences(self) -> Iterable[str]:
        """Yield what the front page tells clients of the filters."""
        for each in self.filters:
            yield from each.sentences()

    def _page_refusals(self, page: ProjectPage) -> Iterator[str]:
        return (reason for each in self.filters if (reason := each.reject_page(page)) is not None)

    @cached_property
    def _by_project(self) -> tuple[Filter, ...]:
        """The filters that reject projects; the blocklist's reason is said before the allowlist's."""
        rejecting = [each for each in self.filters if type(each).reject_project is not Filter.reject_project]
        return tuple(reversed(rejecting))


def _put(refusals: list[Refusal], new: Refusal) -> None:
    """Add ``new``, in the place of one of the same setting."""
    for place, known in enumerate(refusals):
        if known.setting == new.setting:
            refusals[place] = new
            return
    refusals.append(new)


def _holds(
    rule: Filter, project: NormalizedName, files: Sequence[RemoteFile], context: Context
) -> Iterator[tuple[RemoteFile, Hold]]:
    held = rule.hold(project, files, context)
    return ((file, held[file.filename]) for file in files if file.filename in held)
