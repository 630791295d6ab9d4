"""What is read: demands, constraints, and what of a file is no demand, each with its place."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import urlsplit

from msgspec import Struct, field
from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from pypi_mirror.demands.mistyped import why_no_requirement
from pypi_mirror.plain_text import plain, plain_address

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# ``sha256:…``, as requirement files and all lock files write digests.
_HASH: Final = re.compile(r"[a-z][a-z0-9_]*:[0-9a-f]{16,256}")
_VERSION_CONTROL: Final = re.compile(r"(?:git|hg|svn|bzr)\+", re.IGNORECASE)
# More than any real file has; what is beyond is a mistake, or an attack.
MOST_DEMANDS: Final = 200_000

VERSION_CONTROL: Final = "it comes from version control, which no index serves"
LOCAL: Final = "it comes from a local path, which no index serves"
DIRECT: Final = "it comes from a direct URL, which no index serves"


class Demand(Struct, frozen=True, kw_only=True):
    """What one line wants of a project.

    ``specifier`` is a PEP 440 specifier set, empty for any release; of a lock file (``locked``) it is the
    exact version. ``extras`` are normalized. ``marker`` is a PEP 508 marker, empty where it always holds.
    ``hashes`` are the digests of the only files that will do (``sha256:…``), empty where any file will.
    ``index`` is the index that a lock file says the files are from, None where it does not say. ``place`` is
    who asks: the file, and the line where there is one.
    """

    project: NormalizedName
    specifier: str = ""
    extras: tuple[NormalizedName, ...] = ()
    marker: str = ""
    hashes: tuple[str, ...] = ()
    index: str | None = None
    locked: bool = False
    place: str


class Constraint(Struct, frozen=True, kw_only=True):
    """What a constraints file (``-c``) says of a project, whether anybody demands it or not."""

    project: NormalizedName
    specifier: str
    hashes: tuple[str, ...] = ()
    place: str


class Remark(Struct, frozen=True, kw_only=True):
    """A part of a file that is no demand, as it is written there, and why, as half a sentence."""

    text: str
    reason: str
    place: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}: {self.reason}"


class ReadFile(Struct, frozen=True, kw_only=True):
    """A file that was read; ``state`` is what ``state_of`` said of it then."""

    path: Path
    state: tuple[int, ...] | None


def state_of(path: Path) -> tuple[int, ...] | None:
    """Return what tells a file from a later one of its name, None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


class Demands(Struct, frozen=True, kw_only=True):
    """All of one file and of those that it includes.

    ``unserved`` is what an installer would take from elsewhere; ``ignored`` are options that decide nothing
    on a mirror. ``files`` are the file itself and those that it includes.
    """

    demands: tuple[Demand, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    unserved: tuple[Remark, ...] = ()
    ignored: tuple[Remark, ...] = ()
    files: tuple[ReadFile, ...] = ()


class BadDemands(ValueError):
    """A file cannot be read; each of ``mistakes`` names file and line, and says what to do."""

    def __init__(self, *mistakes: str) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(mistakes))


class Found(Struct, kw_only=True):
    """What a reader has found so far in ``file``, as messages name it."""

    file: str
    demands: list[Demand] = field(default_factory=list)
    constraints: list[Constraint] = field(default_factory=list)
    unserved: list[Remark] = field(default_factory=list)
    ignored: list[Remark] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    def place(self, line: int | None = None) -> str:
        return self.file if line is None else f"{self.file}:{line}"

    def leave_out(self, text: str, reason: str, line: int | None = None) -> None:
        self.unserved.append(Remark(text=shown(text), reason=reason, place=self.place(line)))

    def ignore(self, text: str, reason: str, line: int | None = None) -> None:
        self.ignored.append(Remark(text=shown(text), reason=reason, place=self.place(line)))

    def mistake(self, message: str, line: int | None = None) -> None:
        self.mistakes.append(f"{self.place(line)}: {message}")

    def fail(self, message: str, line: int | None = None) -> NoReturn:
        """Raise BadDemands, with what was found before."""
        self.mistake(message, line)
        raise BadDemands(*self.mistakes)

    def demand(self, demand: Demand) -> None:
        if len(self.demands) >= MOST_DEMANDS:
            self.fail(f"has over {MOST_DEMANDS:,} requirements; split the file")
        self.demands.append(demand)

    def require(self, text: str, *, what: str | None = None) -> None:
        """Take a PEP 508 requirement; ``what`` names where in the file it is."""
        requirement = parse_requirement(text)
        if isinstance(requirement, str):
            self.mistake(
                f"{what or 'the file'} has {text!r}, which is not a requirement (PEP 508): {requirement}"
            )
        elif requirement.url is not None:
            self.leave_out(text, why_unserved(requirement.url))
        else:
            self.demand(demand_of(requirement, place=self.place()))

    def lock(
        self,
        name: object,
        version: object,
        *,
        hashes: tuple[str, ...] = (),
        marker: str = "",
        index: str | None = None,
    ) -> None:
        """Take an entry of a lock file; a version that PEP 440 does not know is compared as text."""
        project = self.project(name)
        specifier = self._exactly(project, version)
        marker = self.marker(project, marker)
        self.demand(
            Demand(
                project=project,
                specifier=specifier,
                marker=marker,
                hashes=hashes,
                index=index,
                locked=True,
                place=self.place(),
            )
        )

    def project(self, name: object) -> NormalizedName:
        try:
            if not isinstance(name, str):
                raise InvalidName
            return canonicalize_name(name, validate=True)
        except InvalidName:
            self.fail(f"has a package called {name!r}, which is not a project's name; lock again")

    def _exactly(self, project: NormalizedName, version: object) -> str:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
        from packaging.version import InvalidVersion, Version

        if version is None:
            return ""
        if not isinstance(version, str):
            self.fail(f"the version of {project} is not a string; lock again")
        try:
            return f"=={Version(version)}"
        except InvalidVersion:
            try:
                return str(SpecifierSet(f"==={version}"))
            except InvalidSpecifier:
                self.fail(f"{version!r} is not a version of {project}; lock again")

    def marker(self, project: NormalizedName, marker: str) -> str:
        """Return the marker as ``packaging`` writes it."""
        from packaging.markers import InvalidMarker, Marker

        try:
            return str(Marker(marker)) if marker else ""
        except InvalidMarker as error:
            first = str(error).partition("\n")[0]
            self.fail(f"{marker!r} is not a marker of {project} (PEP 508): {first}; lock again")

    def hash(self, project: object, text: object) -> str:
        """Return a digest, checked, in lower case."""
        lowered = text.lower() if isinstance(text, str) else ""
        if not _HASH.fullmatch(lowered):
            self.fail(f"{text!r} is not a digest of a file of {project}, like sha256:…; lock again")
        return lowered

    def done(self) -> Demands:
        """Return all that was found; raise BadDemands where there were mistakes."""
        if self.mistakes:
            raise BadDemands(*self.mistakes)
        return Demands(
            demands=tuple(self.demands),
            constraints=tuple(self.constraints),
            unserved=tuple(self.unserved),
            ignored=tuple(self.ignored),
        )


def shown(text: str) -> str:
    """Return text of a file for people, without secrets in addresses."""
    return plain_address(text) if "://" in text else plain(text)


def parse_requirement(text: str) -> "Requirement | str":
    """Return the requirement (PEP 508), or why it is none."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement:
        return f"it {why_no_requirement(text)}"


def demand_of(requirement: "Requirement", *, place: str, hashes: tuple[str, ...] = ()) -> Demand:
    """Return the demand of a requirement without a URL."""
    return Demand(
        project=canonicalize_name(requirement.name),
        specifier=str(requirement.specifier),
        extras=tuple(sorted(map(canonicalize_name, requirement.extras))),
        marker="" if requirement.marker is None else str(requirement.marker),
        hashes=hashes,
        place=place,
    )


def why_unserved(url: str) -> str:
    """Return why what comes from ``url`` cannot come from an index."""
    if _VERSION_CONTROL.match(url):
        return VERSION_CONTROL
    return DIRECT if urlsplit(url).scheme in ("http", "https", "ftp") else LOCAL
