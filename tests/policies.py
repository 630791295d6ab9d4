"""Policies for tests, said shortly."""

from collections.abc import Iterable

from packaging.utils import NormalizedName

from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.options.environments import Environment
from pypi_mirror.options.packages import ReleaseRule
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.blocklist_packages import BlockedPackages
from pypi_mirror.policy.filters.blocklist_platforms import BlockedPlatforms
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.policy.filters.platform_exclude_filename import ExcludedFilenames


def policy(
    *,
    allowed_projects: Iterable[str] = (),
    allowed_releases: Iterable[ReleaseRule] = (),
    blocked_projects: Iterable[str] = (),
    blocked_releases: Iterable[ReleaseRule] = (),
    blocked_platforms: Iterable[str] = (),
    environments: Iterable[Environment] = (),
    exclude_filename: str | None = None,
) -> Policy:
    """Return the policy of a file that says so; projects with rules for releases need not be named again."""
    return Policy(
        AllowedPackages(packages=_rules(allowed_projects, allowed_releases)),
        BlockedPackages(packages=_rules(blocked_projects, blocked_releases)),
        BlockedPlatforms(platforms=tuple(blocked_platforms)),
        ServedEnvironments(environments=tuple(environments)),
        ExcludedFilenames(exclude_filename=exclude_filename),
    )


def changed(before: Policy, **options: object) -> Policy:
    """Return ``before`` with other values of options, named as above."""
    kinds = {
        "exclude_filename": ExcludedFilenames,
        "environments": ServedEnvironments,
        "blocked_platforms": BlockedPlatforms,
        "allowed": AllowedPackages,
        "blocked": BlockedPackages,
    }
    new = policy(**options)  # type: ignore[arg-type]
    replaced = tuple(kind for name, kind in kinds.items() if any(key.startswith(name) for key in options))
    return Policy(*(each for each in before.filters if not isinstance(each, replaced)), *new.filters)


def _rules(projects: Iterable[str], releases: Iterable[ReleaseRule]) -> tuple[ReleaseRule, ...]:
    releases = tuple(releases)
    partial = {rule.project for rule in releases}
    whole = (
        ReleaseRule(project=NormalizedName(name), specifier="")
        for name in sorted(projects)
        if name not in partial
    )
    return tuple(sorted((*whole, *releases)))


def page_of(project: NormalizedName, files: Iterable[RemoteFile]) -> ProjectPage:
    return ProjectPage(name=project, serial=1, etag=None, files=tuple(files))
