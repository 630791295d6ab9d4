"""``packages`` of ``[allowlist]`` and ``[blocklist]``: project names, with or without PEP 440 specifiers."""

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.utils import NormalizedName

from pypi_mirror.options.parsers import BadValue


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ReleaseRule:
    """Some releases of one project; ``specifier`` is a PEP 440 specifier set, checked (``>=1.4,<2``)."""

    project: NormalizedName
    specifier: str


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


def whole_projects(rules: Iterable[ReleaseRule]) -> frozenset[NormalizedName]:
    """Return the projects that are meant as a whole."""
    return frozenset(rule.project for rule in rules if not rule.specifier)


def only_releases(rules: Iterable[ReleaseRule]) -> tuple[ReleaseRule, ...]:
    """Return the rules of the other projects, sorted, each once."""
    rules = tuple(rules)
    whole = whole_projects(rules)
    return tuple(sorted({rule for rule in rules if rule.project not in whole}))


def format_package(rule: ReleaseRule) -> str:
    return f"{rule.project}{rule.specifier}"
