"""Source archives that lock files name and no machine needs, since a wheel that they name does."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Self

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options.environments import Environment
from pypi_mirror.policy.filenames import is_source_archive
from pypi_mirror.policy.filter import ALLOWLIST, Context, Filter, Stage, find
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.platform_environments import served_by
from pypi_mirror.policy.filters.platform_sdists import FOR_ALL
from pypi_mirror.policy.machines import Machines
from pypi_mirror.policy.releases import Release, release_in
from pypi_mirror.policy.roots import REQUIREMENTS
from pypi_mirror.release_files import WHEEL


@dataclass(frozen=True, kw_only=True)
class LockedSourceArchives(Filter):
    """Of files that are wanted by their digests alone, leaves out a source archive that nobody needs: where
    every served machine that can use it has a wheel among the files that are kept.

    Without ``[platform] environments`` any machine is served, so only a wheel for all of them is enough. It
    has no option of its own: the settings make it where requirement files were read.
    """

    section: ClassVar = ALLOWLIST
    stage: ClassVar = Stage.COUNTS

    allowed: AllowedPackages | None = None
    environments: tuple[Environment, ...] = field(default=(), repr=False)

    def beside(self, others: Sequence[Filter]) -> Self:
        allowed = None if self.allowed is None else find(AllowedPackages, others)
        return replace(self, environments=served_by(others), allowed=allowed)

    def reject_files(
        self, project: NormalizedName, files: Sequence[RemoteFile], context: Context
    ) -> Mapping[str, str]:
        if self.allowed is None or not self.allowed.is_partial(project):
            return {}
        with_wheel: defaultdict[Release | None, set[int]] = defaultdict(set)
        for file in files:
            if file.filename.endswith(WHEEL if self.environments else FOR_ALL):
                with_wheel[release_in(project, file.filename)] |= self._machines.that_use(file)
        reasons = {}
        for file in files:
            if not is_source_archive(file.filename):
                continue
            roots = list(self.allowed.roots.admitting(project, file))
            served = with_wheel[release_in(project, file.filename)]
            is_replaced = bool(served) and self._machines.that_use(file) <= served
            by_digest = bool(roots) and all(root.hashes for root in roots)
            if is_replaced and by_digest and not self.allowed.is_required(project, file):
                reasons[file.filename] = (
                    f"every served machine has a wheel of {roots[0].rule} among the files that "
                    f"{roots[0].by} asks for"
                )
        return reasons

    @classmethod
    def setting(cls) -> str:
        return REQUIREMENTS

    @property
    def takes_part(self) -> bool:
        return self.allowed is not None

    @cached_property
    def _machines(self) -> Machines:
        return Machines(self.environments)
