"""``packages`` of ``[allowlist]`` and ``[blocklist]``: projects by name or pattern, all or some releases."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.demands.mistyped import why_no_requirement
from pypi_mirror.options.parsers import BadValue

# ``*`` is any part of a name, ``?`` one character; brackets are extras, as in PEP 508.
_PATTERN: Final = re.compile(r"[A-Za-z0-9._*?-]*[*?][A-Za-z0-9._*?-]*")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ReleaseRule:
    """Some releases of one project, or of all whose names match a pattern (``apache-airflow-*``).

    ``project`` is a normalized name or pattern; ``specifier`` is a PEP 440 specifier set, checked
    (``>=1.4,<2``), empty for all releases. ``extras`` and ``marker`` are those of PEP 508; a rule counts only
    where its marker can hold.
    """

    project: NormalizedName
    specifier: str
    extras: tuple[str, ...] = ()
    marker: str = ""

    @property
    def is_pattern(self) -> bool:
        return "*" in self.project or "?" in self.project


def parse_package(text: str) -> ReleaseRule:
    """``example``, ``example>=1.4,<2``, ``example-*``; extras and markers as PEP 508 has them.

    The specifier is empty where the whole project is meant.
    """
    # Imported here because it costs 40 ms, and DAG files of mirrors without lists need not pay.
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    pattern = _PATTERN.match(text)
    try:
        # What follows a pattern is read as if it followed a name.
        requirement = Requirement(text if pattern is None else f"x{text[pattern.end() :]}")
    except InvalidRequirement as error:
        raise BadValue(f"{text!r} {why_no_requirement(text)}") from error
    if requirement.url:
        raise BadValue(f"{text!r}: write the name and versions; a URL selects nothing here")
    return ReleaseRule(
        project=canonicalize_name(requirement.name) if pattern is None else _parse_pattern(pattern[0]),
        specifier=str(requirement.specifier),
        extras=tuple(sorted(map(canonicalize_name, requirement.extras))),
        marker="" if requirement.marker is None else str(requirement.marker),
    )


def parse_blocked_package(text: str) -> ReleaseRule:
    """The same without extras and markers: what is blocked is blocked for all."""
    rule = parse_package(text)
    if rule.extras or rule.marker:
        raise BadValue(f"{text!r}: write the name and versions alone; extras and markers block nothing")
    return rule


def parse_project_pattern(text: str) -> ReleaseRule:
    """Projects by name or pattern, with all of their releases."""
    rule = parse_blocked_package(text)
    if rule.specifier:
        raise BadValue(f"{text!r}: write the name alone; versions mean nothing here")
    return rule


def _parse_pattern(text: str) -> NormalizedName:
    """A pattern of names in any spelling."""
    if not re.search("[A-Za-z0-9]", text):
        raise BadValue(f"{text!r} matches every project; write a part of their names too")
    return NormalizedName(re.sub("[-_.]+", "-", text).lower())


def parse_project_name(text: str) -> NormalizedName:
    """One project's name, in any spelling (PEP 503)."""
    from packaging.utils import InvalidName, canonicalize_name

    try:
        return canonicalize_name(text, validate=True)
    except InvalidName as error:
        raise BadValue(f"{text!r} is not the name of one project; write it without wildcards") from error


def whole_projects(rules: Iterable[ReleaseRule]) -> frozenset[NormalizedName]:
    """Return the projects that are meant as a whole, on all machines."""
    return frozenset(rule.project for rule in rules if not rule.specifier and not rule.marker)


def only_releases(rules: Iterable[ReleaseRule]) -> tuple[ReleaseRule, ...]:
    """Return the rules of the other projects, sorted, each once."""
    rules = tuple(rules)
    whole = whole_projects(rules)
    return tuple(sorted({rule for rule in rules if rule.project not in whole}))


def format_package(rule: ReleaseRule) -> str:
    extras = f"[{','.join(rule.extras)}]" if rule.extras else ""
    marker = f"; {rule.marker}" if rule.marker else ""
    return f"{rule.project}{extras}{rule.specifier}{marker}"
