"""Making a plan: which projects a run syncs or removes, and why. Pure: values in, values out.

What upstream says (events, a root index) meets what the ledger knows and what the filters select.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.ledger.cutting import Cut
from pypi_mirror.ledger.projects import QUARANTINED, KnownProject
from pypi_mirror.model import Action, Event, IndexEntry, PlannedProject
from pypi_mirror.upstream.changelog import changes_content, is_removal

# Airflow maps a task at most 1,024 times.
MAX_BATCHES: Final = 1000
# What a project costs besides its new files' bytes (pages, rows), in bytes.
_FIXED_COST: Final = 2_000_000
# So many times as many batches as can be at work at once, so that whoever is done early finds another. Where
# all sizes are known and all workers equally fast, one batch each would do: in the simulated runs of
# tests/planning/test_balance.py the slowest of four usually takes 1.0 to 1.2 times the ideal, 1.6 at worst,
# either way. With one worker at half speed it usually takes 1.8 times the ideal with one batch each and 1.1
# to 1.4 with four; where no size is known, 2.3 at worst with one and 1.6 with four, hardly less with eight.
BATCHES_EACH: Final = 4
# A batch that costs less than so many projects is not worth a task of Airflow, which takes a second to begin.
WORTH_A_TASK: Final = 25

CHANGED: Final = "changed in the backfill's interval"


class ProjectPolicy(Protocol):
    """Decides over projects; ``policy.Policy`` is the real one."""

    def rejection_reason(self, project: NormalizedName) -> str | None: ...


class Candidate(Struct, frozen=True, kw_only=True):
    """A project that events speak of: the last one that can have changed its page decides."""

    project: NormalizedName
    display_name: str
    serial: int
    gone: bool
    reason: str


def candidates(events: Iterable[Event], policy: ProjectPolicy) -> list[Candidate]:
    """The selected projects whose content the events touch, by name. ``events`` come by serial."""
    last: dict[NormalizedName, Candidate] = {}
    for event in events:
        if changes_content(event.action) and (
            event.project in last or policy.rejection_reason(event.project) is None
        ):
            last[event.project] = Candidate(
                project=event.project,
                display_name=event.name,
                serial=event.serial,
                gone=is_removal(event.action),
                reason=f"upstream: {event.action}",
            )
    return sorted(last.values(), key=lambda candidate: candidate.project)


def plan_candidate(
    candidate: Candidate, known: KnownProject | None, *, waiting: bool = False
) -> PlannedProject | None:
    """What to do about a project that events speak of; None when the mirror is there already.

    ``waiting`` says that the backlog has it, or what earlier runs have left: then its removal has to be
    planned even where the mirror does not hold it yet, or the next try would believe an old copy of its page.
    """
    present = known is not None and known.present
    if candidate.gone and not present and not waiting:
        return None
    if (
        known is not None
        and present
        and known.serial is not None
        and known.serial >= candidate.serial
        # Pages do not spell the name. Where the page came with an earlier plan, this event alone does.
        and (candidate.gone or known.display_name == candidate.display_name)
    ):
        return None
    planned = PlannedProject(
        project=candidate.project,
        display_name=candidate.display_name,
        action=Action.SYNC,
        reason=candidate.reason,
        serial=candidate.serial,
        exact=True,
        gone=candidate.gone,
        unread=False,
    )
    return losing(planned, known) if candidate.gone and known is not None else planned


def plan_from_index(
    entries: Iterable[IndexEntry],
    known: Iterable[KnownProject],
    policy: ProjectPolicy,
    *,
    fingerprint: str,
    recheck: bool,
    serial: int | None = None,
    goes_on: bool = False,
) -> Iterator[PlannedProject]:
    """Compare upstream's root index, which is of ``serial``, with the ledger, both by normalized name.

    ``fingerprint`` is that of the filters in force; ``recheck`` asks for every selected project. Where
    upstream has no serials to compare, a run that ``goes_on`` with what others have left adds nothing to that
    but new projects: it is one of several that ask for every project in parts.
    """
    for project, entry, have in side_by_side(entries, known):
        present = have if have is not None and have.present else None
        refused = policy.rejection_reason(project)
        if refused is not None:
            if present is not None:
                yield removal(present, refused)
        elif entry is not None:
            reason = _why_sync(entry, present, fingerprint, recheck, goes_on, serial)
            if reason is not None:
                yield sync_of(entry, reason, unread=recheck or _is_doubted(entry, present, serial))
        elif present is not None:
            yield gone(present, serial)


def plan_named(
    names: Sequence[NormalizedName], known: dict[NormalizedName, KnownProject], *, reason: str, verify: bool
) -> Iterator[PlannedProject]:
    """Projects to look at whatever their serial; ``verify`` has their files hashed again."""
    for name in names:
        have = known.get(name)
        unknown = PlannedProject(project=name, display_name=name, action=Action.SYNC, reason=reason)
        yield replace(unknown if have is None else asked_for(have, reason), verify=verify)


def removal(known: KnownProject, reason: str) -> PlannedProject:
    """The plan to take a project out of the mirror that the filters leave out."""
    planned = PlannedProject(
        project=known.project, display_name=known.display_name, action=Action.REMOVE, reason=reason
    )
    return losing(planned, known)


def gone(known: KnownProject, serial: int | None) -> PlannedProject:
    """The plan for a project that upstream's index of ``serial`` does not list any more.

    It leaves quarantined projects out, whose pages are still there; readers have lost those already. What was
    quarantined when it was last looked at may have been removed since.
    """
    planned = replace(asked_for(known, "no longer in upstream's index"), serial=serial, gone=True)
    return planned if known.status == QUARANTINED else losing(planned, known)


def gone_unseen(project: NormalizedName, display_name: str, serial: int | None) -> PlannedProject:
    """The plan for a project that the mirror waits for and upstream's index of ``serial`` does not list."""
    return PlannedProject(
        project=project,
        display_name=display_name,
        action=Action.SYNC,
        reason="no longer in upstream's index",
        serial=serial,
        gone=True,
    )


def losing(planned: PlannedProject, known: KnownProject) -> PlannedProject:
    """``planned``, noting that the mirror loses by it all that it has of the project."""
    return replace(planned, loses_project=True, loses_files=known.files, loses_bytes=known.bytes)


def cut(
    new_bytes: Iterable[int],
    *,
    sizes: Iterable[tuple[int, int]],
    batch_size: int,
    at_least: int = 1,
    smallest: int = WORTH_A_TASK,
) -> Iterator[int]:
    """The number of the batch of each project; ``new_bytes`` are those of a plan's projects, by name.

    ``sizes`` says of how many bytes how many projects are, so that a plan need not be in memory to be cut. A
    batch is a stretch of the alphabet, so that people can tell what it holds, and the stretches are equal in
    what they cost. ``batch_size`` is the number of projects a batch has on average, more where that would
    make over MAX_BATCHES batches, fewer where there would not be ``at_least`` as many batches, of what
    ``smallest`` projects cost or more.
    """
    projects = total = 0
    for size, number in sizes:
        projects += number
        total += number * (_FIXED_COST + size)
    worth_starting = min(projects, math.ceil(total / (smallest * _FIXED_COST)))
    wanted = max(math.ceil(projects / batch_size), min(at_least, worth_starting))
    batches = max(1, min(MAX_BATCHES, wanted))
    before = 0
    for size in new_bytes:
        cost = _FIXED_COST + size
        # The middle of a project's stretch of the total cost tells its batch.
        yield (2 * before + cost) * batches // (2 * total)
        before += cost


def cut_of_turn(projects: int, of_all: int, /, *, batch_size: int, at_least: int, smallest: int) -> Cut:
    """The cut of one of three turns, which has ``projects`` of all that are cut: its part of the batches."""
    return partial(
        cut,
        # Each turn's last batch may be a small one.
        batch_size=max(batch_size, math.ceil(of_all / (MAX_BATCHES - 3))),
        at_least=max(1, round(at_least * projects / of_all)),
        smallest=smallest,
    )


def _why_sync(
    entry: IndexEntry,
    known: KnownProject | None,
    fingerprint: str,
    recheck: bool,
    goes_on: bool,
    index_serial: int | None,
) -> str | None:
    if known is None:
        return "new"
    if known.selection != fingerprint:
        return "the filters changed" if known.selection else "filters unknown (rebuilt ledger)"
    if recheck:
        return "re-check"
    if entry.serial is None or known.seen_serial is None:
        if goes_on:
            return None
        return "upstream has no serials to compare" if entry.serial is None else "serial unknown"
    if _went_back(entry, known, index_serial):
        return f"upstream's index went back from serial {known.seen_serial} to {entry.serial}"
    return _news_of(entry, known)


def _went_back(entry: IndexEntry, known: KnownProject, index_serial: int | None) -> bool:
    # An index from before we saw that serial may well have an older one. A newer index may not: its page says
    # whether it is only the index that went back.
    return entry.serial is not None and entry.serial < (known.seen_serial or 0) <= (index_serial or 0)


def _is_doubted(entry: IndexEntry, known: KnownProject | None, index_serial: int | None) -> bool:
    """Whether the index contradicts what was read before, however new that is."""
    return known is not None and (known.status == QUARANTINED or _went_back(entry, known, index_serial))


def _news_of(entry: IndexEntry, known: KnownProject) -> str | None:
    """What the index has of a project that the mirror has not yet."""
    if entry.serial is not None and known.seen_serial is not None and entry.serial > known.seen_serial:
        return f"upstream is at serial {entry.serial}"
    if known.status == QUARANTINED:
        return "upstream lists it again"
    if entry.name != known.display_name:
        return f"display name changed to {entry.name}"
    return None


def sync_of(entry: IndexEntry, reason: str, *, unread: bool) -> PlannedProject:
    """The plan to bring a project to where upstream's index has it; ``unread`` asks for another look at a
    page that was read before.
    """
    return PlannedProject(
        project=entry.project,
        display_name=entry.name,
        action=Action.SYNC,
        reason=reason,
        serial=entry.serial,
        unread=unread,
    )


def asked_for(known: KnownProject, reason: str) -> PlannedProject:
    """The plan to look at a project whatever its serial."""
    return PlannedProject(
        project=known.project,
        display_name=known.display_name,
        action=Action.SYNC,
        reason=reason,
    )


def side_by_side(
    entries: Iterable[IndexEntry], known: Iterable[KnownProject]
) -> Iterator[tuple[NormalizedName, IndexEntry | None, KnownProject | None]]:
    """Both sides by name, together where both have it (a full outer join of two sorted streams)."""
    left, right = iter(entries), iter(known)
    entry, have = next(left, None), next(right, None)
    while entry is not None or have is not None:
        if have is None or (entry is not None and entry.project < have.project):
            assert entry is not None  # noqa: S101 - or the loop had ended
            yield entry.project, entry, None
            entry = next(left, None)
        elif entry is None or have.project < entry.project:
            yield have.project, None, have
            have = next(right, None)
        else:
            yield entry.project, entry, have
            entry, have = next(left, None), next(right, None)


def plan_backfill(
    entries: Iterable[IndexEntry],
    known: Iterable[KnownProject],
    policy: ProjectPolicy,
    *,
    touched: Collection[NormalizedName],
    only: Collection[NormalizedName],
    complete: bool,
    serial: int | None = None,
) -> Iterator[PlannedProject]:
    """Compare upstream's root index, which is of ``serial``, with the ledger, both by normalized name.

    ``touched`` projects changed in the interval; their files are verified. ``only`` confines the plan to
    these projects, where there are any. ``complete`` says that the mirror has been complete under these
    filters; before that, what it lacks was not synced yet, which is no difference to repair.
    """
    for project, entry, have in side_by_side(entries, known):
        if (only and project not in only) or policy.rejection_reason(project) is not None:
            continue
        present = have if have is not None and have.present else None
        if entry is not None and project in touched:
            yield replace(sync_of(entry, CHANGED, unread=True), verify=True)
        elif entry is not None:
            missing = "missing" if complete else None
            reason = missing if present is None else _news_of(entry, present)
            if reason is not None:
                yield sync_of(entry, reason, unread=True)
        elif present is not None and present.status != QUARANTINED:
            yield gone(present, serial)
        elif present is not None and project in touched:
            yield replace(asked_for(present, CHANGED), verify=True)
