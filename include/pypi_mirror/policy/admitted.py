"""Which releases of a project its demands admit: many specifiers over many versions at once.

Versions are sorted, and grouped by their release segment (``1.0``, ``1.0rc1`` and ``1.0+cpu`` are of one
group). Apart from the group of the version that a clause names, all of a group compare with it alike (PEP
440), so two searches and a few comparisons answer for all versions.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.policy.demanded import ReleaseDemand
from pypi_mirror.policy.releases import contains, is_pin, names_prerelease, parsed, specifier_set
from pypi_mirror.release_files import version_in

if TYPE_CHECKING:
    from packaging.specifiers import Specifier
    from packaging.version import Version

_Group = tuple[int, tuple[int, ...]]
# Those that compare; a version of another group is below or above.
_ABOVE: Final = {">=": True, ">": True, "<=": False, "<": False}


class Versions:
    """Versions by number, and of each specifier those that it admits, as a number with a bit for each."""

    def __init__(self, versions: Iterable[str]) -> None:
        found = {text: version for text in versions if (version := parsed(text)) is not None}
        self._texts = sorted(found, key=lambda text: (_group(found[text]), text))
        self._groups = [_group(found[text]) for text in self._texts]
        self._numbers = {text: 1 << number for number, text in enumerate(self._texts)}
        self._all = (1 << len(self._texts)) - 1

    def bit(self, version: str) -> int | None:
        """The bit of ``version``, None for one that PEP 440 does not know."""
        return self._numbers.get(version)

    def admitted(self, specifier: str) -> int:
        found = self._all
        for clause in specifier_set(specifier):
            found &= self._by_clause(clause)
        return found

    def _by_clause(self, clause: "Specifier") -> int:
        operator = clause.operator
        named = parsed(clause.version.removesuffix(".*"))
        if named is None or operator == "===":
            return self._compared(0, len(self._texts), clause)
        epoch, release = named.epoch, named.release
        if clause.version.endswith(".*"):
            within = self._between(epoch, release)
            return within if operator == "==" else self._all & ~within
        group = _group(named)
        first = bisect_left(self._groups, group)
        end = bisect_left(self._groups, (*group, 0))
        same = self._compared(first, end, clause)
        if operator == "==":
            return same
        if operator == "!=":
            return self._all & ~_bits(first, end) | same
        if operator == "~=":
            return self._between(epoch, release[:-1]) & (_bits(end, len(self._texts)) | same)
        return same | (_bits(end, len(self._texts)) if _ABOVE[operator] else _bits(0, first))

    def _between(self, epoch: int, prefix: tuple[int, ...]) -> int:
        """The versions whose release segment begins so, as ``==1.4.*`` has it."""
        after = (epoch, (*prefix[:-1], prefix[-1] + 1))
        return _bits(bisect_left(self._groups, (epoch, _trimmed(prefix))), bisect_left(self._groups, after))

    def _compared(self, first: int, end: int, clause: "Specifier") -> int:
        text = str(clause)
        return sum(1 << number for number in range(first, end) if contains(text, self._texts[number]))


class AdmittedReleases:
    """Of each of ``files`` of a project, which of its ``demands`` it meets."""

    def __init__(
        self, project: NormalizedName, files: Sequence[RemoteFile], demands: Sequence[ReleaseDemand]
    ) -> None:
        self._project = project
        self._demands = demands
        spelled = {version_in(project, file.filename) for file in files}
        self._versions = Versions(text for text in spelled if text is not None)
        self._pinned: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._any: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._files = files
        self._by_specifier: dict[str, int] = {}
        for specifier, extra, machines in demands:
            if specifier not in self._by_specifier:
                self._by_specifier[specifier] = self._versions.admitted(specifier)
            admitted = self._by_specifier[specifier]
            self._any[extra, machines] |= admitted
            if is_pin(specifier):
                self._pinned[extra, machines] |= admitted

    def of(self, file: RemoteFile, *, even_yanked: bool = False) -> Iterator[tuple[str, int]]:
        """Yield the extras, each with the machines, that ``file`` is demanded with; one that is yanked, only
        where it is pinned (PEP 592), or with ``even_yanked``.
        """
        version = version_in(self._project, file.filename)
        if version is None:
            return
        only_pinned = file.yanked is not None and not even_yanked
        bit = self._versions.bit(version)
        if bit is None:
            for specifier, extra, machines in self._demands:
                if (is_pin(specifier) or not only_pinned) and (not specifier or contains(specifier, version)):
                    yield extra, machines
            return
        for key, admitted in (self._pinned if only_pinned else self._any).items():
            if admitted & bit:
                yield key

    def by_specifier(self, usable: Callable[[RemoteFile], int]) -> Iterator[frozenset[str]]:
        """Yield the names of the files that each specifier is met by, each set once; ``usable`` gives the
        machines that can use a file.
        """
        wanting: defaultdict[str, int] = defaultdict(int)
        for specifier, _, machines in self._demands:
            wanting[specifier] |= machines
        known = [
            (file.filename, version, self._versions.bit(version), file.yanked is not None, usable(file))
            for file in self._files
            if (version := version_in(self._project, file.filename)) is not None
        ]
        found: set[frozenset[str]] = set()
        for specifier, admitted in self._by_specifier.items():
            pins, wanted = is_pin(specifier), wanting[specifier]
            met = (
                filename
                for filename, version, bit, is_yanked, machines in known
                if (contains(specifier, version) if bit is None else bit & admitted)
                and machines & wanted
                and (pins or not is_yanked)
            )
            found.add(frozenset(met))
        yield from found

    def needless(
        self, usable: Callable[[RemoteFile], int], finals: Callable[[RemoteFile], int]
    ) -> frozenset[str]:
        """Return the names of pre-releases' files that no installer takes unless it is asked to take any.

        Installers take one where a requirement names a pre-release, or where those that count together admit
        no final release (PEP 440). That is so at most where all that admit it count. ``usable`` gives the
        machines that can use a file, ``finals`` those that are sure to take one of a final release.
        """
        wanting: defaultdict[str, int] = defaultdict(int)
        for specifier, _, machines in self._demands:
            wanting[specifier] |= machines
        others: defaultdict[int, int] = defaultdict(int)
        candidates: list[tuple[RemoteFile, int]] = []
        for file in self._files:
            version = version_in(self._project, file.filename) or ""
            known, bit = parsed(version), self._versions.bit(version)
            if known is None or bit is None:
                continue
            if known.is_prerelease:
                candidates.append((file, bit))
            elif file.yanked is None:
                for machine in _each(finals(file)):
                    others[machine] |= bit

        def is_needed(bit: int, machine: int) -> bool:
            admitting = [
                specifier
                for specifier, admitted in self._by_specifier.items()
                if admitted & bit and wanting[specifier] & machine
            ]
            together = others[machine]
            for specifier in admitting:
                together &= self._by_specifier[specifier]
            return bool(admitting) and (not together or any(map(names_prerelease, admitting)))

        return frozenset(
            file.filename
            for file, bit in candidates
            if not any(is_needed(bit, machine) for machine in _each(usable(file)))
        )

    def machines(self, file: RemoteFile, *, even_yanked: bool = False) -> int:
        """Return the machines that want the file, whether or not they can use it."""
        found = 0
        for _, machines in self.of(file, even_yanked=even_yanked):
            found |= machines
        return found


def _each(bits: int) -> Iterator[int]:
    """Each bit by itself."""
    while bits:
        yield bits & -bits
        bits &= bits - 1


def _group(version: "Version") -> _Group:
    return version.epoch, _trimmed(version.release)


def _trimmed(release: tuple[int, ...]) -> tuple[int, ...]:
    """Without zeros at the end: 1.0 is 1."""
    end = len(release)
    while end and release[end - 1] == 0:
        end -= 1
    return release[:end]


def _bits(first: int, end: int) -> int:
    return (1 << end) - (1 << first)
