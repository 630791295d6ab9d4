"""Releases and files that ``[allowlist]`` asks for and upstream's pages lack, as each page was last decided.

A lock file that names a release that upstream removed is out of date, also where the mirror keeps the files
for it; ``packages`` with such a version has a typo in most cases.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.facts.facts import Facts
from pypi_mirror.facts.values import UnmetRule
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import ProjectPage
from pypi_mirror.policy import Policy
from pypi_mirror.policy.roots import PACKAGES
from pypi_mirror.wording import some_of

# So many are kept and named; more are one mistake, such as a lock file of another index.
_MOST: Final = 1_000


def unmet_on(policy: Policy, page: ProjectPage) -> tuple[UnmetRule, ...]:
    """The rules that no file of ``page`` meets."""
    return tuple(
        UnmetRule(project=page.name, rule=root.rule, by=root.by) for root in islice(policy.unmet(page), _MOST)
    )


def note_unmet(mirror: Mirror, found: Mapping[NormalizedName, Iterable[UnmetRule]]) -> None:
    """Note the rules of the projects in ``found``, whose pages were decided; what is said of others stays."""
    kept = [each for each in _noted(mirror) if each.project not in found]
    rules = [*kept, *(each for unmet in found.values() for each in unmet)]
    rules.sort(key=lambda each: (each.project, each.rule, each.by))
    mirror.ledger.facts.put(Facts.unmet_rules.to(tuple(rules[:_MOST]) or None))


def unmet_rules(mirror: Mirror) -> tuple[UnmetRule, ...]:
    """What the settings in force ask for and upstream's pages did not have, by project."""
    return tuple(each for each in _noted(mirror) if mirror.policy.asks_for(each.project, each.rule, each.by))


def described(rules: Sequence[UnmetRule]) -> str:
    """The message: which releases, which file asks for them, and what to do."""
    named = [f"{each.rule} ({each.by})" for each in rules]
    return f"upstream has no file for {some_of(named)}: mistyped or removed; {advice(rules)}"


def advice(rules: Sequence[UnmetRule]) -> str:
    """What to do: only files that a tool has written can be written again."""
    return "correct it" if all(each.by == PACKAGES for each in rules) else "correct it, or lock again"


def _noted(mirror: Mirror) -> tuple[UnmetRule, ...]:
    return mirror.ledger.facts.unmet_rules or ()
