"""``[platform] environments``: only what the configured machines can install."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import product
from typing import ClassVar, Self

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import option
from pypi_mirror.options.environments import (
    Environment,
    describe_environment,
    format_environment,
    parse_environment,
)
from pypi_mirror.policy.filenames import Kind, describe_other, split_tags, wheel_tags
from pypi_mirror.policy.filter import PLATFORM, Context, Filter, find
from pypi_mirror.policy.foreign import keep_for_others, oldest_python
from pypi_mirror.policy.platform_words import SYSTEM_TAGS
from pypi_mirror.policy.served_tags import ServedTags, served_tags
from pypi_mirror.policy.witness import keep_witness


@dataclass(frozen=True, kw_only=True)
class ServedEnvironments(Filter):
    """Leaves out wheels that none of the environments can install, decided by the wheel's tags (PEP 425).

    - A wheel is kept when any tag of its compressed tag set can be installed by any environment.
    - ``none-any`` wheels stay whatever their Python: they are small, and tools read their metadata.
    - A wheel whose name is malformed is left out: no installer takes it.
    - Source archives and eggs without a platform stay.
    - Installers (``.exe``, ``.msi``, ``.dmg``, ``.rpm``, ``.deb``), and eggs and ``bdist_dumb`` archives with
      a platform in their name, stay when an environment is of that system; the machine and the Python
      are not compared, since these formats name them loosely.
    - Where dependencies are followed, one final release stays beside pre-releases of a project; and where
      they are for all machines, a file of each release.

    The rule about ``Requires-Python`` is the installer's: a wheel that its tags admit is kept.
    """

    section: ClassVar = PLATFORM

    environments: tuple[Environment, ...] = option(
        parse_environment,
        "The machines to serve, one kind a line; wheels that none of them can install are left out.",
        "Wheels are judged by their tags. Wheels for any platform and source archives stay. Without this "
        "list, all wheels are kept. A line has system and machine, then Pythons, then for Linux the C "
        "library, for macOS the newest version to serve:\n"
        "  linux    x86_64 aarch64 i686 armv7l ppc64le s390x riscv64 loongarch64,\n"
        "           with `glibc 2.28` or `musl 1.2`\n"
        "  windows  amd64 arm64 x86\n"
        "  macos    arm64 x86_64, with `macOS 14.0`\n"
        "Pythons are `CPython 3.12`, `CPython 3.10 to 3.13`, `CPython 3.14t` (free-threaded) or `PyPy 3.11`.",
        format=format_environment,
        many=True,
        example=(
            "linux x86_64, CPython 3.10 to 3.13, glibc 2.28",
            "linux aarch64, CPython 3.12, musl 1.2",
            "windows amd64, CPython 3.12",
            "macos arm64, CPython 3.11 to 3.12, macOS 14.0",
        ),
    )

    follows: bool = field(default=False, repr=False)
    for_all_machines: bool = field(default=False, repr=False)

    def beside(self, others: Sequence[Filter]) -> Self:
        # It asks this module which environments are served.
        from pypi_mirror.policy.filters.dependencies_follow import Dependencies

        dependencies = find(Dependencies, others) or Dependencies()
        return replace(self, follows=dependencies.follows, for_all_machines=dependencies.for_all_machines)

    def reject_files(
        self, project: NormalizedName, files: Sequence[RemoteFile], context: Context
    ) -> Mapping[str, str]:
        reasons = dict(super().reject_files(project, files, context))
        if self.for_all_machines:
            keep_for_others(project, files, reasons, oldest_python(self.environments))
        if self.follows and reasons:
            keep_witness(project, files, reasons)
        return reasons

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        tags = wheel_tags(file.filename)
        if tags is not None:
            return self._reason_by_tags(tags)
        if file.filename.endswith(".whl"):
            return "the wheel's name is malformed, so that no installer takes it"
        name = describe_other(file.filename)
        if name.kind is Kind.OTHER or not name.platforms or name.platforms[0].startswith(self._prefixes):
            return None
        return f"no environment of [platform] environments is of the system {name.platforms[0].rstrip('_')}"

    def sentences(self) -> Iterator[str]:
        machines = "; ".join(map(describe_environment, self.environments))
        yield f"Binary wheels only for: {machines}. Wheels that fit every platform are mirrored too."

    @cached_property
    def _served(self) -> ServedTags:
        return served_tags(self.environments)

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        systems = sorted({environment.system for environment in self.environments})
        return tuple(prefix for system in systems for prefix in SYSTEM_TAGS[system])

    @cached_property
    def _reason_by_tags(self) -> Callable[[str], str | None]:
        return lru_cache(maxsize=65_536)(self._reason)

    def _reason(self, tags: str) -> str | None:
        name = split_tags(tags)
        if "none" in name.abis and "any" in name.platforms:
            return None
        nowhere: frozenset[str] = frozenset()
        for key in product(name.pythons, name.abis):
            if not self._served.get(key, nowhere).isdisjoint(name.platforms):
                return None
        return f"no environment of [platform] environments can install {tags}"


def served_by(filters: Iterable[Filter]) -> tuple[Environment, ...]:
    """Return the environments that a policy of these filters serves; none where it serves any."""
    found = find(ServedEnvironments, filters)
    return () if found is None else found.environments
