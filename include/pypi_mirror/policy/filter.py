"""What every filter is: a dataclass whose fields are its options, with the decision that they ask for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import ClassVar, Self, TypeVar

from msgspec import Struct, field
from packaging.utils import NormalizedName

from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.options import Option, Section, options_of

_SEE = "[Filters](filters.md#projects-and-releases)"
ALLOWLIST = Section(name="allowlist", doc="What is mirrored; without it, everything.", see=_SEE)
DEPENDENCIES = Section(
    name="dependencies",
    doc="Whether what these require is mirrored too.",
    see="[Dependencies](dependencies.md)",
)
BLOCKLIST = Section(name="blocklist", doc="What is not mirrored.", see=_SEE)
FILTER_REGEX = Section(
    name="filter_regex",
    doc="What is not mirrored, by regular expressions.",
    see="[Filters](filters.md#filters-of-bandersnatch)",
)
RELEASES = Section(
    name="releases",
    doc="Which releases of a project are mirrored.",
    see="[Filters](filters.md#newest-releases)",
)
COOLDOWN = Section(
    name="cooldown",
    doc="How long new files wait before they are listed.",
    see="[Cooldown](cooldown.md)",
)
PLATFORM = Section(name="platform", doc="Which files are mirrored.", see="[Filters](filters.md#environments)")


F = TypeVar("F", bound="Filter")


class Stage(IntEnum):
    """When a filter judges files; within a stage, the order is that of the modules' names."""

    RELEASES = 1
    FILES = 2
    TIMES = 3
    """What is held back does not count, and comes on top."""
    AGES = 4
    """Those that count see what all others keep; an old release counts only where it stays."""
    COUNTS = 5


class Context(Struct, frozen=True, kw_only=True):
    """What is known of a project beside upstream's page, by file name; times are seconds since 1970.

    ``as_of`` is the moment of the decision, by upstream's clock, ``planned_at`` that of the plan. What leaves
    pages by the time alone does so at the latter, for the guard weighs plans. ``listed`` is what our page
    has, ``seen`` when upstream's page had no such file yet, or had it first where it states no upload time.
    ``lifted`` are the files whose cooldown a person has lifted.
    """

    as_of: int = 0
    planned_at: int = 0
    listed: frozenset[str] = frozenset()
    seen: Mapping[str, int] = field(default_factory=dict)
    lifted: frozenset[str] = frozenset()


class Hold(Struct, frozen=True, kw_only=True):
    """Why and until when a file waits, ``due`` None for one that is left out instead; ``since`` is when its
    time began.
    """

    since: int
    due: int | None
    reason: str


class Filter:
    """One rule over projects, files, or both. A subclass is a frozen dataclass in ``policy/filters/``.

    Pure: it knows nothing of the disk or the ledger, and equal values decide alike. One whose options have no
    value takes no part. Override ``reject_project``, or ``reject_page`` where the whole page decides, and
    either ``reject_file`` or, where files must be compared with each other, ``reject_files``. Reasons are
    half a sentence for people that names the option.
    """

    section: ClassVar[Section]
    stage: ClassVar[Stage] = Stage.FILES

    def reject_project(self, project: NormalizedName) -> str | None:
        """Return why no file of ``project`` is mirrored, None where this filter lets the project in."""
        return None

    def reject_page(self, page: ProjectPage) -> str | None:
        """Return why no file of ``page`` is mirrored; it has all that upstream's page has."""
        return None

    def reject_files(
        self, project: NormalizedName, files: Sequence[RemoteFile], context: Context
    ) -> Mapping[str, str]:
        """Return why files are not mirrored, by file name; ``files`` are what earlier filters keep."""
        reasons = ((file.filename, self.reject_file(project, file)) for file in files)
        return {filename: reason for filename, reason in reasons if reason is not None}

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        """Return why ``file`` is not mirrored, None where this filter keeps it."""
        return None

    def hold(
        self, project: NormalizedName, files: Sequence[RemoteFile], context: Context
    ) -> Mapping[str, Hold]:
        """Return which of ``files`` have to wait, by file name."""
        return {}

    def changes_at(
        self, project: NormalizedName, files: Sequence[RemoteFile], context: Context
    ) -> int | None:
        """Return when the time alone next changes what ``reject_files`` says of ``files``, None for never."""
        return None

    def beside(self, others: "Sequence[Filter]") -> Self:
        """Return the filter as it decides beside ``others``, for one that has to know of them."""
        return self

    def inputs(self, *, of_files: bool) -> Mapping[str, Sequence[str]]:
        """Return what decides beside the options: what was read of files, by the option that names them.

        With ``of_files``, only what decides over the files of a selected project.
        """
        return {}

    def sentences(self) -> Iterator[str]:
        """Yield what the front page tells clients of this filter."""
        yield from ()

    @classmethod
    def options(cls) -> tuple[Option, ...]:
        return options_of(cls, cls.section)  # type: ignore[arg-type,unused-ignore]

    @classmethod
    def setting(cls) -> str:
        """Return how messages name the filter: by its first option."""
        return cls.options()[0].place

    def setting_for(self, project: NormalizedName, reason: str = "") -> str:
        """Return how messages name what decides over ``project``, or what gave the ``reason`` for leaving out
        one of its files, where one of several options can.
        """
        return self.setting()

    @property
    def order(self) -> tuple[int, str]:
        return self.stage, type(self).__module__

    @property
    def takes_part(self) -> bool:
        """Whether an option has a value that is not its default."""
        return any(getattr(self, each.name) != each.default_value for each in self.options())


def find(kind: type[F], filters: "Iterable[Filter]") -> F | None:
    """Return the filter of this kind."""
    return next((each for each in filters if isinstance(each, kind)), None)
