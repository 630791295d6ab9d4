"""``[allowlist] requirements``, ``[dependencies] constraints`` and ``metadata``: the files that they name,
found, read, and put into the policy.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pypi_mirror.demands import BadDemands, Demand, Demands, Remark, read_demands
from pypi_mirror.demands.demand import ReadFile, state_of
from pypi_mirror.demands.overrides import Override, read_overrides
from pypi_mirror.errors import ConfigurationError, Mistake
from pypi_mirror.options.environments import Environment
from pypi_mirror.plain_text import plain_address
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filter import Filter
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.allowlist_source_archives import LockedSourceArchives
from pypi_mirror.policy.filters.dependencies_follow import CONSTRAINTS, METADATA, Dependencies
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.policy.roots import REQUIREMENTS
from pypi_mirror.policy.served_markers import can_hold
from pypi_mirror.settings.assemble import public_index
from pypi_mirror.settings.values import Settings

# Files, with the line of the configuration that names them.
_Paths = Mapping[Path, int | None]
_GLOB: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """All that the files say: what is mirrored for them, what no mirror serves, and what decides nothing.

    ``files`` are those that were read, included ones too.
    """

    demands: tuple[Demand, ...] = ()
    unserved: tuple[Remark, ...] = ()
    ignored: tuple[Remark, ...] = ()
    files: tuple[ReadFile, ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read last in this process of the files ``found``."""

    settings: Settings
    found: tuple[Path, ...]
    files: tuple[ReadFile, ...]
    requirements: Requirements
    resolved: Settings

    @property
    def is_current(self) -> bool:
        return all(state_of(file.path) == file.state for file in self.files)


_last: list[_Read] = []


def with_requirements(settings: Settings) -> Settings:
    """Return ``settings`` with what the files of ``[allowlist] requirements``, ``[dependencies] constraints``
    and ``[dependencies] metadata`` say in their policy.

    Files that did not change since the last call are not read again, and the same object is returned.
    Raises ConfigurationError, with every mistake of every file.
    """
    allowed, dependencies = settings.policy.of(AllowedPackages), settings.policy.of(Dependencies)
    wanted = allowed.requirements and allowed.demands is None
    limited = dependencies.constraints and dependencies.ceilings is None
    stated = dependencies.metadata and dependencies.overrides is None
    return _read(settings, allowed, dependencies).resolved if wanted or limited or stated else settings


def read_requirements(settings: Settings) -> Requirements:
    """Return what the files of ``[allowlist] requirements`` say; raises ConfigurationError as above."""
    allowed, dependencies = settings.policy.of(AllowedPackages), settings.policy.of(Dependencies)
    return _read(settings, allowed, dependencies).requirements


def _read(settings: Settings, allowed: AllowedPackages, dependencies: Dependencies) -> _Read:
    base = allowed.requirements_path or (settings.path or Path()).absolute().parent
    sources = {
        REQUIREMENTS: allowed.requirements,
        CONSTRAINTS: dependencies.constraints,
        METADATA: dependencies.metadata,
    }
    mistakes: list[Mistake] = []
    found = {
        key: _find(base, key, [(each, settings.line_of(key, each)) for each in patterns], mistakes)
        for key, patterns in sources.items()
    }
    files = tuple(path for paths in found.values() for path in paths)
    for last in _last:
        if (last.settings, last.found) == (settings, files) and last.is_current:
            return last
    wanted = [*_read_all(found[REQUIREMENTS], REQUIREMENTS, mistakes)]
    limits = [*_read_all(found[CONSTRAINTS], CONSTRAINTS, mistakes)]
    stated = [*_read_overrides(found[METADATA], mistakes)]
    served = settings.policy.of(ServedEnvironments).environments
    environments = () if dependencies.for_all_machines else served
    requirements = _joined(wanted, settings.master, environments)
    if allowed.requirements and not mistakes and not requirements.demands and not allowed.packages:
        message = "none of what the files name can be mirrored, and without it everything would be"
        line = settings.line_of(REQUIREMENTS, allowed.requirements[0])
        mistakes.append(Mistake(line=line, key=REQUIREMENTS, message=message))
    if mistakes:
        raise ConfigurationError(settings.path or Path("mirror.conf"), list(dict.fromkeys(mistakes)))
    dependencies = replace(
        dependencies,
        ceilings=tuple(demand for each in limits for demand in each.demands if demand.specifier),
        overrides=tuple(override for overrides, _ in stated for override in overrides),
    )
    resolved = replace(settings, policy=_policy(settings.policy, requirements, dependencies))
    read = (*(file for each in (*wanted, *limits) for file in each.files), *(file for _, file in stated))
    _last[:] = [_Read(settings, files, read, requirements, resolved)]
    return _last[0]


def _read_all(paths: _Paths, key: str, mistakes: list[Mistake]) -> Iterator[Demands]:
    for path, line in paths.items():
        try:
            read = read_demands(path)
        except BadDemands as error:
            mistakes += (Mistake(line=line, key=key, message=message) for message in error.mistakes)
            continue
        if not read.demands:
            mistakes.append(Mistake(line=line, key=key, message=f"{path}: {_why_empty(read)}"))
        yield read


def _read_overrides(
    paths: _Paths, mistakes: list[Mistake]
) -> Iterator[tuple[tuple[Override, ...], ReadFile]]:
    for path, line in paths.items():
        try:
            yield read_overrides(path)
        except BadDemands as error:
            mistakes += (Mistake(line=line, key=METADATA, message=message) for message in error.mistakes)


def _policy(policy: Policy, requirements: Requirements, dependencies: Dependencies) -> Policy:
    allowed = policy.of(AllowedPackages)
    others = (each for each in policy.filters if not isinstance(each, AllowedPackages | Dependencies))
    added: list[Filter] = [dependencies]
    if allowed.requirements:
        allowed = replace(allowed, demands=requirements.demands)
        added.append(LockedSourceArchives(allowed=allowed))
    return Policy(*others, allowed, *added)


def _find(
    base: Path, key: str, patterns: Sequence[tuple[str, int | None]], mistakes: list[Mistake]
) -> _Paths:
    """Return the files of patterns with their lines, each once; patterns that match none are ``mistakes``."""
    found: dict[Path, int | None] = {}
    for pattern, line in patterns:
        path = base / Path(pattern).expanduser()
        if path.is_file() or not _GLOB & set(pattern):
            found.setdefault(path, line)
            continue
        try:
            matches = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
            files = sorted(file for file in matches if file.is_file())
        except ValueError as error:
            message = f"{pattern} is not a pattern of files: {error}"
            mistakes.append(Mistake(line=line, key=key, message=message))
            continue
        found |= dict.fromkeys(files, line) | found
        if not files:
            message = f"no file matches {path}; correct the pattern, or remove the line"
            mistakes.append(Mistake(line=line, key=key, message=message))
    return found


def _why_empty(demands: Demands) -> str:
    if demands.unserved:
        first = demands.unserved[0]
        return f"names nothing that a mirror serves ({first.text}: {first.reason}); remove the line"
    return "names no project; fill the file, or remove the line"


def _joined(read: Sequence[Demands], master: str, environments: tuple[Environment, ...]) -> Requirements:
    demands: list[Demand] = []
    unserved: list[Remark] = []
    ignored: list[Remark] = []
    for each in read:
        unserved += each.unserved
        ignored += each.ignored
        others = other_indexes(each.demands, master)
        for demand in each.demands:
            if demand.index in others:
                reason = f"it comes from the index {others[demand.index]}, which is not [mirror] master"
                unserved.append(_remark(demand, reason))
            elif not can_hold(demand.marker, environments):
                ignored.append(_remark(demand, "no environment of [platform] environments needs it"))
            else:
                demands.append(demand)
    return Requirements(
        demands=tuple(demands),
        unserved=tuple(unserved),
        ignored=tuple(ignored),
        files=tuple(file for each in read for file in each.files),
    )


def _remark(demand: Demand, reason: str) -> Remark:
    marker = f"; {demand.marker}" if demand.marker else ""
    return Remark(text=f"{demand.project}{demand.specifier}{marker}", reason=reason, place=demand.place)


def other_indexes(demands: Sequence[Demand], *upstream: str) -> Mapping[str | None, str]:
    """Return the indexes of a lock file that are not ``upstream``, as messages name them.

    Where none is known to be, as in a file that was locked behind a proxy, all of them stand for upstream.
    """
    named = {demand.index for demand in demands if demand.index is not None}
    if not named:
        return {}
    roots = {*map(_root_of, upstream), public_index()}
    known = {index for index in named if _root_of(index) in roots}
    return {index: plain_address(index) for index in named - known} if known else {}


def _root_of(index: str) -> str:
    return index.rstrip("/").removesuffix("/simple").rstrip("/")
