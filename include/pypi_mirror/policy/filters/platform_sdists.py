"""``[platform] sdists``: source archives, all of them, none, or where no wheel serves."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Final, Self

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import option
from pypi_mirror.options.environments import Environment
from pypi_mirror.options.parsers import choice
from pypi_mirror.policy.filenames import is_source_archive
from pypi_mirror.policy.filter import PLATFORM, Context, Filter, Stage
from pypi_mirror.policy.filters.platform_environments import served_by
from pypi_mirror.policy.machines import Machines
from pypi_mirror.policy.releases import Release, release_in
from pypi_mirror.release_files import WHEEL

# What a wheel is called that serves everybody who is not known.
FOR_ALL: Final = ("-py3-none-any.whl", "-py2.py3-none-any.whl")


@dataclass(frozen=True, kw_only=True)
class SourceArchives(Filter):
    """Leaves out source archives: all of them, or those of releases that every served machine has a wheel of.

    A release without any wheel keeps its archives under ``needed``, whatever machines are served.
    """

    section: ClassVar = PLATFORM
    stage: ClassVar = Stage.COUNTS

    sdists: str = option(
        choice("all", "needed", "none"),
        "Source archives to mirror: all, needed (where a served machine has no wheel), or none.",
        "The machines are those of environments; without that list a release needs its archive unless it has "
        "a wheel for every platform and Python 3. With none, projects without wheels have no files.",
        default="all",
    )
    environments: tuple[Environment, ...] = field(default=(), repr=False)

    def beside(self, others: Sequence[Filter]) -> Self:
        return replace(self, environments=served_by(others))

    def reject_files(
        self, project: NormalizedName, files: Sequence[RemoteFile], context: Context
    ) -> Mapping[str, str]:
        archives = [file for file in files if is_source_archive(file.filename)]
        if self.sdists == "none":
            return {file.filename: "[platform] sdists = none" for file in archives}
        wheels: defaultdict[Release | None, set[int]] = defaultdict(set)
        for file in files:
            if file.filename.endswith(WHEEL if self.environments else FOR_ALL):
                wheels[release_in(project, file.filename)] |= self._machines.that_use(file)
        return {
            file.filename: "[platform] sdists = needed, and every served machine has a wheel of this release"
            for file in archives
            if wheels.get(release_in(project, file.filename), set()) >= self._machines.all
        }

    def sentences(self) -> Iterator[str]:
        yield {
            "needed": "Source archives only of releases without a wheel for every served machine.",
            "none": "No source archives.",
        }[self.sdists]

    @cached_property
    def _machines(self) -> Machines:
        return Machines(self.environments)
