"""Names in ``[allowlist] packages`` or ``requirements`` that upstream does not list: often mistyped.

A comparison with upstream's root index tells which those are; after it, a page that is 404 does. The index
leaves quarantined projects out, too, so what is said of a name is that upstream does not list it.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.chunks import chunks
from pypi_mirror.facts.facts import Facts
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import PlanState
from pypi_mirror.wording import some_of

_NAMED: Final = 20


def note_unlisted_names(mirror: Mirror, run_id: int) -> None:
    """Once the plan was made from upstream's root index: note what the index does not have.

    What it has is planned or in the mirror already.
    """
    missing: set[NormalizedName] = set()
    for names in _asked_for(mirror):
        planned = mirror.ledger.listings.planned(run_id, names)
        missing |= set(names) - planned.keys() - _held(mirror, names)
    _note(mirror, missing)


def note_missing_pages(mirror: Mirror, run_id: int) -> None:
    """After a run: what it looked at and has no page of is not there upstream."""
    missing: set[NormalizedName] = set()
    for names in _asked_for(mirror):
        planned = mirror.ledger.listings.planned(run_id, names)
        done = [name for name, row in planned.items() if row.state == PlanState.DONE.value]
        missing.update(set(done) - _held(mirror, done))
    if missing:
        _note(mirror, missing | _noted(mirror))


def unknown_names(mirror: Mirror) -> tuple[NormalizedName, ...]:
    """What the settings in force ask for and upstream did not have when it was last asked, sorted."""
    missing = sorted(_noted(mirror) & mirror.policy.named_projects)
    held = _held(mirror, missing)
    return tuple(name for name in missing if name not in held)


def described(mirror: Mirror, names: Sequence[NormalizedName]) -> str:
    """The message: which names, and where each stands."""
    named = some_of([f"{name} ({mirror.policy.asked_by(name)})" for name in names], _NAMED)
    return f"upstream does not list {named}: mistyped, removed, or quarantined"


def _asked_for(mirror: Mirror) -> Iterator[list[NormalizedName]]:
    """What the allowlist names and the blocklist does not take out again, some at a time."""
    return chunks(sorted(mirror.policy.named_projects))


def _held(mirror: Mirror, names: Sequence[NormalizedName]) -> set[NormalizedName]:
    """Those of which the mirror has a page, and those that it failed to sync: upstream knows them both."""
    known = mirror.ledger.projects.known(names)
    held = {name for name, project in known.items() if project.present}
    return held | mirror.ledger.backlog.those_of([name for name in names if name not in held])


def _noted(mirror: Mirror) -> set[NormalizedName]:
    return set(mirror.ledger.facts.unknown_names or ())


def _note(mirror: Mirror, names: AbstractSet[NormalizedName]) -> None:
    mirror.ledger.facts.put(Facts.unknown_names.to(tuple(sorted(names)) or None))
