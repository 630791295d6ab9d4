"""``packages`` of ``[allowlist]`` and ``[blocklist]``: project names, with or without PEP 440 specifiers."""

from collections.abc import Iterable

from packaging.utils import NormalizedName

from pypi_mirror.settings.texts import BadValue
from pypi_mirror.settings.values import ReleaseRule


def parse_package(text: str) -> ReleaseRule:
    """``example``, or ``example>=1.4,<2``; the specifier is empty where the whole project is meant.

    Of a PEP 508 requirement, only the name and the specifier select anything on a mirror; extras, markers
    and URLs are refused.
    """
    # Imported here because it costs 40 ms, and DAG files of mirrors without lists need not pay.
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        first = str(error).partition("\n")[0]
        raise BadValue(
            f"{text!r} is not a project name, nor a name with a version specifier: {first}"
        ) from error
    if requirement.extras or requirement.marker or requirement.url:
        raise BadValue(
            f"{text!r}: write the name and versions alone; extras, markers and URLs select nothing here"
        )
    return ReleaseRule(project=canonicalize_name(requirement.name), specifier=str(requirement.specifier))


def parse_project_name(text: str) -> NormalizedName:
    """One project's name, in any spelling (PEP 503)."""
    from packaging.utils import InvalidName, canonicalize_name

    try:
        return canonicalize_name(text, validate=True)
    except InvalidName as error:
        raise BadValue(f"{text!r} is not the name of one project; write it without wildcards") from error


def split_rules(
    rules: Iterable[ReleaseRule],
) -> tuple[frozenset[NormalizedName], tuple[ReleaseRule, ...]]:
    """The projects that are meant as a whole, and the rules of the others, sorted, each once."""
    rules = tuple(rules)
    whole = frozenset(rule.project for rule in rules if not rule.specifier)
    return whole, tuple(sorted({rule for rule in rules if rule.project not in whole}))


def join_rules(
    projects: Iterable[NormalizedName], releases: Iterable[ReleaseRule]
) -> tuple[ReleaseRule, ...]:
    """The inverse of ``split_rules``: one list; ``projects`` may hold those of ``releases`` too."""
    releases = tuple(releases)
    partial = {rule.project for rule in releases}
    whole = (ReleaseRule(project=project, specifier="") for project in projects if project not in partial)
    return tuple(sorted((*whole, *releases)))


def format_package(rule: ReleaseRule) -> str:
    return f"{rule.project}{rule.specifier}"
