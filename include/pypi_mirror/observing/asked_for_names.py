"""Projects that a person names: whether there are such, and what may have been meant instead.

A misspelt name must never look like a project that was looked after.
"""

import difflib
from collections.abc import Sequence
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.errors import MirrorError
from pypi_mirror.ledger.projects import REMOVED, REMOVING
from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.explain import explain
from pypi_mirror.planning.unknown_names import unknown_names

# Names with the same first letter that are looked through; all of the public index has fewer.
_MOST: Final = 100_000
_SIMILAR: Final = 0.7
_LONGER: Final = 3


def require_held(mirror: Mirror, names: Sequence[NormalizedName]) -> None:
    """Raise MirrorError, naming each, when the mirror does not hold one of ``names``."""
    known = mirror.ledger.projects.known(names)
    missing = [name for name in names if name not in known or not known[name].present]
    if missing:
        named = ", ".join(f"{name}{did_you_mean(mirror, name)}" for name in missing)
        raise MirrorError(f"the mirror holds no project {named}; `pypi-mirror explain NAME` says why")


def require_upstream(mirror: Mirror, names: Sequence[NormalizedName]) -> None:
    """Raise MirrorError, naming each, when neither the mirror nor upstream has one of ``names``."""
    known = mirror.ledger.projects.known(names)
    asked = [name for name in names if name not in known or not known[name].present]
    looked_up = [explain(mirror, name, ask_for=mirror.settings.timeout) for name in asked]
    for each in looked_up:
        if each.trouble is not None:
            raise MirrorError(f"{each.project}: {each.trouble}")
    missing = [each.project for each in looked_up if not each.found]
    if missing:
        named = ", ".join(f"{name}{did_you_mean(mirror, name)}" for name in missing)
        raise MirrorError(f"upstream has no project {named}")


def did_you_mean(mirror: Mirror, name: NormalizedName) -> str:
    """`` (did you mean numpy?)`` for the most similar name that is known; nothing without any."""
    close = similar_names(mirror, name, most=1)
    return f" (did you mean {close[0]}?)" if close else ""


def similar_names(mirror: Mirror, name: str, *, most: int) -> tuple[str, ...]:
    """Names that begin with the same letter and are spelt alike, the most similar first: of what the mirror
    holds, of the pages of upstream that it has read, and of what the allow-list names, but for names there
    that upstream does not list, which are misspelt themselves.
    """
    held = mirror.ledger.listings.projects_beginning(name[:1], None, _MOST)
    known: set[str] = {each.name for each in held if each.status not in (REMOVING, REMOVED)}
    known |= mirror.policy.named_projects - set(unknown_names(mirror))
    known.update(mirror.ledger.catalogue.with_page(name[:1], _MOST))
    # A misspelling is about as long, and to compare with all of the public index takes a second.
    near = sorted(each for each in known if abs(len(each) - len(name)) <= _LONGER and each != name)
    return tuple(difflib.get_close_matches(name, near, n=most, cutoff=_SIMILAR))
