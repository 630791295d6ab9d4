"""What dependencies demand: of each project, which releases, for which extras and machines."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.policy.releases import contains, is_pin
from pypi_mirror.release_files import version_in


class ReleaseDemand(NamedTuple):
    """Releases of one project that others require: those that ``specifier`` (PEP 440) admits, with ``extra``
    where it is not empty. ``machines`` has a bit for each served machine that wants them.
    """

    specifier: str
    extra: str
    machines: int


class Demanded:
    """The demands of all projects. A value: it is replaced, not changed."""

    def __init__(self, by_project: Mapping[NormalizedName, Sequence[ReleaseDemand]]) -> None:
        self._by_project: Final = by_project

    def __contains__(self, project: NormalizedName) -> bool:
        return project in self._by_project

    def of(self, project: NormalizedName) -> Sequence[ReleaseDemand]:
        return self._by_project.get(project, ())

    def admitting(self, project: NormalizedName, file: RemoteFile, machines: int) -> Iterator[ReleaseDemand]:
        """Yield the demands that the file meets, which ``machines`` can use."""
        demands = self.of(project)
        version = version_in(project, file.filename) if demands else None
        if version is None:
            return
        is_yanked = file.yanked is not None
        for demand in demands:
            if demand.machines & machines and admits(demand.specifier, version, is_yanked=is_yanked):
                yield demand


NOTHING_DEMANDED: Final = Demanded({})


def admits(specifier: str, version: str, *, is_yanked: bool) -> bool:
    """Whether a release can meet a requirement with ``specifier``: pre-releases can, and one that is yanked
    only where it is pinned (PEP 592).
    """
    if is_yanked and not is_pin(specifier):
        return False
    return not specifier or contains(specifier, version)
