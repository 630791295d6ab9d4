"""Names in ``[dependencies] stop-at`` and ``whole`` that nothing requires, where a similar one is required.

A name that nothing requires is no mistake by itself: it can be a precaution.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.mirror import Mirror
from pypi_mirror.policy.filters.dependencies_follow import Dependencies
from pypi_mirror.wording import some_of

_SIMILAR: Final = 0.8


class MisspeltStop(Struct, frozen=True, kw_only=True):
    """``name`` in the option ``key``, and what may be ``meant``."""

    key: str
    name: NormalizedName
    meant: NormalizedName


def misspelt_stops(mirror: Mirror) -> tuple[MisspeltStop, ...]:
    """Those names, by what is required as far as dependencies were followed."""
    rules = mirror.policy.of(Dependencies)
    written = [
        (key, rule.project)
        for key, listed in (("stop-at", rules.stop_at), ("whole", rules.whole))
        for rule in listed
        if not rule.is_pattern and rule.project not in mirror.policy.allowed.demanded
    ]
    if not written or not mirror.policy.follows:
        return ()
    required = [each.project for each in mirror.ledger.dependency_graph.projects() if not each.named]
    return tuple(
        MisspeltStop(key=f"[dependencies] {key}", name=name, meant=NormalizedName(meant))
        for key, name in written
        for meant in get_close_matches(name, required, n=1, cutoff=_SIMILAR)
    )


def described(found: Sequence[MisspeltStop]) -> str:
    """The message: which names, where each stands, and what may be meant."""
    named = some_of([f"{each.name} ({each.key}; did you mean {each.meant}?)" for each in found])
    return f"nothing requires {named}"
