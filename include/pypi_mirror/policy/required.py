"""What a project requires of others, as far as its own releases are wanted: following dependencies by a step.

The dependencies of a mirror are the smallest set with: each release that is kept demands, of each project
that it requires, all releases that the requirement admits. A release is wanted with some extras, on some
machines; what it requires counts for these (PEP 508). So every solution of the allowlist on a served machine
is in the set: whatever release is in it was demanded by another one that is in it, or by the allowlist.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct, field
from packaging.utils import NormalizedName

from pypi_mirror.demands.core_metadata import CoreMetadata
from pypi_mirror.model import RemoteFile
from pypi_mirror.policy.admitted import AdmittedReleases
from pypi_mirror.policy.demanded import ReleaseDemand
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.releases import Release, release_in
from pypi_mirror.policy.served_markers import ServedMarkers
from pypi_mirror.release_files import WHEEL, version_in

# Different requirements of all releases of a project; real ones have some hundreds at most.
MOST_EDGES: Final = 20_000
_TOO_MANY: Final = f"it has over {MOST_EDGES:,} requirements, and no others are followed"
UNKNOWN: Final = "nobody can tell what this requires without building it; say it in [dependencies] metadata"
UNBUILT: Final = (
    "what building this requires is known once its source archive is here; the next sync follows it"
)
# A release without extras, as demands have it.
BASE: Final = ""
_Extras = dict[str, int]


class Edge(Struct, kw_only=True):
    """That releases of one project require another one by the same words.

    ``first`` to ``last``, by version, are ``releases`` that do; ``extra`` is one that has to be asked for,
    empty where none has. ``machines`` has a bit for each machine that it counts on. ``to_build`` says that it
    is required where the release is built.
    """

    specifier: str
    extras: tuple[str, ...]
    marker: str
    extra: str
    machines: int = 0
    first: str = ""
    last: str = ""
    releases: int = 0
    to_build: bool = False


class Required(Struct, frozen=True, kw_only=True):
    """All that a project requires, by project; ``doubts`` are why releases may require more, with their
    versions, and ``remarks`` what of the metadata could not be read. It ``waits`` where files that are not
    here yet can say more.
    """

    edges: Mapping[NormalizedName, Sequence[Edge]] = field(default_factory=dict)
    doubts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    waits: bool = False
    remarks: tuple[str, ...] = ()


def edge_demands(
    edges: Mapping[NormalizedName, Sequence[Edge]],
) -> Iterator[tuple[NormalizedName, ReleaseDemand]]:
    """Yield what the edges demand of each project, some of it several times."""
    for project, of_project in edges.items():
        for edge in of_project:
            for extra in (BASE, *edge.extras):
                yield project, ReleaseDemand(edge.specifier, extra, edge.machines)


class Requirements:
    """Finds what a project requires, under the allowlist ``allowed``."""

    def __init__(self, allowed: AllowedPackages) -> None:
        self._allowed = allowed
        self._all_extras = allowed.dependencies.extras == "all"
        self._machines = allowed.machines
        self._markers = ServedMarkers(allowed.environments, foreign=allowed.dependencies.for_all_machines)

    def wanted(
        self, project: NormalizedName, kept: Sequence[RemoteFile], demands: Sequence[ReleaseDemand]
    ) -> "dict[Release, Wanted]":
        """Return the releases of ``project`` whose dependencies count: those of ``kept`` that the allowlist
        names or that meet a demand, on a machine that can use them. Of a project that is mirrored as a whole
        once it is required, all do.
        """
        found: dict[Release, Wanted] = {}
        if self._allowed.dependencies.is_whole(project):
            demands = [each._replace(specifier="") for each in demands]
        admitted = AdmittedReleases(project, kept, demands)
        for file in kept:
            release = release_in(project, file.filename)
            machines = self._machines.bits(file)
            if release is None or not machines:
                continue
            wanted = found.setdefault(
                release,
                Wanted(
                    version=version_in(project, file.filename) or "",
                    extras={},
                    override=self._allowed.dependencies.stated(project, release),
                ),
            )
            wanted.add(file, machines)
            self._add_roots(project, file, machines, wanted.extras)
            for extra, wanting in admitted.of(file):
                if on := wanting & machines:
                    _add(wanted.extras, extra, on)
        if self._allowed.dependencies.build == "needed":
            for wanted in found.values():
                # Who locks for other machines builds nothing on them.
                served = wanted.built & ~wanted.wheels & ~self._machines.foreign
                wanted.built_on = wanted.machines & served
        return {release: wanted for release, wanted in found.items() if wanted.extras}

    def required(
        self,
        project: NormalizedName,
        wanted: "Mapping[Release, Wanted]",
        metadata: Callable[[RemoteFile], CoreMetadata | None],
        others: Mapping[Release, Sequence[RemoteFile]],
        to_build: Callable[[RemoteFile], CoreMetadata | None] = lambda _: None,
    ) -> Required:
        """Return what the ``wanted`` releases require; ``metadata`` is what is known of a file, and
        ``to_build`` what of building it.

        Where no wheel that is kept has metadata, that of ``others`` of the release says it.
        """
        edges: defaultdict[NormalizedName, dict[tuple[str, ...], Edge]] = defaultdict(dict)
        number = 0
        doubts: defaultdict[str, list[str]] = defaultdict(list)
        remarks: dict[str, None] = {}
        for release in sorted(wanted):
            each = wanted[release]
            stated = each.stated(metadata) or stated_by(others.get(release, ()), metadata)
            built = [one for file in each.archives if (one := to_build(file)) is not None]
            if not stated:
                doubts[UNKNOWN].append(each.version)
            if each.archives and not built:
                doubts[UNBUILT].append(each.version)
            for doubt in dict.fromkeys(doubt for one in built for doubt in one.doubts):
                doubts[doubt].append(each.version)
            extras = self._with_own_extras(project, each.extras, stated)
            says = [
                *((one, extras, False) for one in stated),
                *((one, {BASE: each.built_on}, True) for one in built),
            ]
            for one, wanting, is_built in says:
                remarks.update(dict.fromkeys(one.remarks))
                if number >= MOST_EDGES:
                    remarks[f"{project}: {_TOO_MANY}"] = None
                    break
                number += self._add_edges(project, each.version, wanting, one, edges, to_build=is_built)
        return Required(
            edges={target: tuple(found.values()) for target, found in edges.items()},
            doubts=doubts,
            waits=not doubts.keys().isdisjoint((UNKNOWN, UNBUILT)),
            remarks=tuple(remarks),
        )

    def _add_roots(self, project: NormalizedName, file: RemoteFile, machines: int, extras: _Extras) -> None:
        roots = self._allowed.roots
        admitting = roots.of(project) if roots.whole(project) else roots.admitting(project, file)
        for root in admitting:
            on = machines & self._markers.machines(root.marker, BASE)
            for extra in (BASE, *root.extras) if on else ():
                _add(extras, extra, on)

    def _with_own_extras(
        self, project: NormalizedName, wanted: _Extras, stated: Sequence[CoreMetadata]
    ) -> _Extras:
        """The extras with those that they bring of the same release: ``all`` is often ``example[a,b]``."""
        found = dict(wanted)
        base = found[BASE] = _every(wanted)
        for one in stated:
            for extra in one.default_extras if not self._all_extras else one.extras:
                _add(found, extra, base)
        own = [each for one in stated for each in one.requires if each.project == project and each.extras]
        is_growing = bool(own)
        while is_growing:
            is_growing = False
            for each in own:
                on = self._on(each.marker, found)
                for extra in each.extras:
                    is_growing |= _add(found, extra, on)
        return found

    def _on(self, marker: str, extras: _Extras) -> int:
        """The machines on which a requirement with this marker counts, where ``extras`` are wanted."""
        on = 0
        for extra, machines in extras.items():
            if machines & ~on:
                on |= machines & self._markers.machines(marker, extra)
        return on

    def _add_edges(
        self,
        project: NormalizedName,
        version: str,
        extras: _Extras,
        stated: CoreMetadata,
        edges: defaultdict[NormalizedName, dict[tuple[str, ...], Edge]],
        *,
        to_build: bool = False,
    ) -> int:
        """Add what a release requires; return how much of it no release before has."""
        new = 0
        for each in stated.requires:
            if each.project == project and not to_build:
                continue
            on = self._on(each.marker, extras)
            if not on:
                continue
            without = each.marker and not self._on(each.marker, {BASE: extras[BASE]})
            extra = next((e for e in extras if self._on(each.marker, {e: extras[e]})), "") if without else ""
            key = (each.specifier, *each.extras, each.marker, "to build" if to_build else "")
            new += key not in edges[each.project]
            edge = edges[each.project].setdefault(
                key,
                Edge(
                    specifier=each.specifier,
                    extras=each.extras,
                    marker=each.marker,
                    extra=extra,
                    to_build=to_build,
                ),
            )
            if edge.last != version:
                edge.releases += 1
            edge.machines |= on
            edge.first = edge.first or version
            edge.last = version
        return new


class Wanted(Struct, kw_only=True):
    """A release whose dependencies count: with which extras, each on which machines, and its files.

    ``override`` is what counts instead of what the files say. ``wheels`` and ``built`` are the machines that
    can use one of its wheels, or source archives; those that it is to be built on are ``built_on``.
    """

    version: str
    extras: _Extras
    override: CoreMetadata | None = None
    files: list[RemoteFile] = field(default_factory=list)
    wheels: int = 0
    built: int = 0
    built_on: int = 0

    @property
    def machines(self) -> int:
        """The machines that want it."""
        return _every(self.extras)

    def add(self, file: RemoteFile, machines: int) -> None:
        self.files.append(file)
        if file.filename.endswith(WHEEL):
            self.wheels |= machines
        else:
            self.built |= machines

    @property
    def archives(self) -> Sequence[RemoteFile]:
        """The files that are to be built."""
        return [file for file in self.files if self.built_on and not file.filename.endswith(WHEEL)]

    def stated(self, metadata: Callable[[RemoteFile], CoreMetadata | None]) -> Sequence[CoreMetadata]:
        return stated_by(self.files, metadata) if self.override is None else [self.override]


def stated_by(
    files: Sequence[RemoteFile], metadata: Callable[[RemoteFile], CoreMetadata | None]
) -> list[CoreMetadata]:
    """Return what the files of a release say of its dependencies, each once.

    Wheels say it. A source archive counts where there is none, and building it cannot change what it says.
    """
    found = {file.filename: metadata(file) for file in files}
    wheels = [each for name, each in found.items() if each is not None and name.endswith(WHEEL)]
    archives = [each for each in found.values() if each is not None and each.is_final]
    return list(dict.fromkeys(wheels or archives))


def _every(extras: _Extras) -> int:
    """The machines that want a release with any extra, or none."""
    every = 0
    for machines in extras.values():
        every |= machines
    return every


def _add(extras: _Extras, extra: str, machines: int) -> bool:
    """Want ``extra`` on ``machines`` too; return whether that is news."""
    before = extras.get(extra, 0)
    extras[extra] = before | machines
    return extras[extra] != before
