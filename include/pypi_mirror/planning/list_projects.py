"""Between steps 1 and 2: which projects the run looks at, as step 1 has found, and which it takes."""

from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from itertools import islice, zip_longest
from operator import attrgetter
from typing import Final

from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.catalogue import ENCODING
from pypi_mirror.changes.interval import interval_of
from pypi_mirror.chunks import chunks
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.backlog import PUT_OFF, BacklogEntry
from pypi_mirror.ledger.projects import KnownProject
from pypi_mirror.ledger.runs import Run, names
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Action, IndexEntry, PlannedProject, RunKind
from pypi_mirror.planning.bounds import READ_AT_MOST, choose_projects
from pypi_mirror.planning.plan import (
    CHANGED,
    asked_for,
    candidates,
    gone_unseen,
    plan_backfill,
    plan_candidate,
    plan_from_index,
    plan_named,
    removal,
)
from pypi_mirror.planning.stray_pages import StrayPages
from pypi_mirror.planning.to_do import goes_on
from pypi_mirror.planning.unknown_names import note_unlisted_names
from pypi_mirror.upstream.changelog import changes_content
from pypi_mirror.upstream.index_snapshot import load_snapshot

# Projects that a run takes at most for nothing but that time has passed.
_DUE_AT_ONCE: Final = 20_000


def list_projects(mirror: Mirror, run_id: int) -> int:
    """Write the plan of run ``run_id`` to the ledger, in place of what is there, and choose what it takes.

    What earlier runs have left comes into it. Returns of how many projects that it takes upstream's page has
    to be read.
    """
    run = mirror.ledger.runs.get(run_id)
    mirror.ledger.lease.renew(run.request.label)
    mirror.ledger.runs.planned(run_id, policy=mirror.selection)
    mirror.ledger.facts.put(Facts.planned_at.to(mirror.ledger.facts.as_of))
    _write(mirror, run, rest=goes_on(mirror, run))
    if run.request.kind is RunKind.SYNC:
        mirror.ledger.plan.add(run_id, _never_read(mirror))
        mirror.ledger.plan.add(run_id, due_projects(mirror))
        mirror.ledger.plan.add(run_id, _changing(mirror))
    if run.request.kind is RunKind.SYNC and run.source == "index":
        strays = StrayPages(mirror, run)
        mirror.ledger.plan.add(run_id, strays.plan())
        mirror.ledger.facts.put(Facts.pages_found.to((run_id, strays.found)))
        note_unlisted_names(mirror, run_id)
    choose_projects(mirror, run)
    mirror.ledger.plan.reread_withheld(run_id)
    mirror.ledger.plan.note_unread(run_id, since=run.started_at, now=int(mirror.clock()))
    return mirror.ledger.plan.count_unread(run_id)


def _write(mirror: Mirror, run: Run, *, rest: bool) -> None:
    """Write what is new, then the ``rest`` that earlier runs have left, then the backlog: what came first
    stands.
    """
    mirror.ledger.plan.write(run.id, _plan(mirror, run, rest=rest))
    if rest:
        # Of what the mirror does not hold, the comparison with upstream's index has said all.
        mirror.ledger.to_do.add_to_plan(run.id, held=run.source == "index")
    if run.request.kind is RunKind.SYNC:
        mirror.ledger.plan.add(run.id, (_again(mirror, entry) for entry in mirror.ledger.backlog.due()))


def due_projects(mirror: Mirror) -> Iterator[PlannedProject]:
    """Projects with files that wait no longer; by what was read of upstream's pages before."""
    names = mirror.ledger.held_files.due(mirror.ledger.facts.as_of or 0, _DUE_AT_ONCE)
    known = mirror.ledger.projects.known(names)
    for name in names:
        have = known.get(name)
        if have is not None:
            yield _decided_again(have, "the cooldown of files is over")


def _changing(mirror: Mirror) -> Iterator[PlannedProject]:
    """Projects with releases that have become too old; by what was read of upstream's pages before."""
    for have in mirror.ledger.projects.changing(mirror.ledger.facts.planned_at or 0, _DUE_AT_ONCE):
        yield _decided_again(have, "releases have become too old")


def _decided_again(known: KnownProject, reason: str) -> PlannedProject:
    return replace(asked_for(known, reason), serial=known.serial, unread=False)


def _never_read(mirror: Mirror) -> Iterator[PlannedProject]:
    """Projects that are here and not in the catalogue: an older program, or none that is known, made them."""
    if mirror.ledger.facts.catalogued == ENCODING:
        return
    found = mirror.ledger.projects.never_read(mirror.settings.schedule.projects_per_run or READ_AT_MOST)
    if not found:
        # Nobody makes a page without reading upstream's first; from now on there is nothing to look for.
        mirror.ledger.facts.put(Facts.catalogued.to(ENCODING))
    for known in found:
        if mirror.policy.rejection_reason(known.project) is None:
            yield asked_for(known, "upstream's page was not read yet")


def _plan(mirror: Mirror, run: Run, *, rest: bool) -> Iterator[PlannedProject]:
    request = run.request
    if request.kind is RunKind.SELECTED:
        return _selected(mirror, names(request))
    if request.kind is RunKind.BACKFILL:
        return _changed_during(mirror, run, only=names(request))
    if run.source == "changelog":
        return _from_events(mirror, run)
    if run.source == "index":
        return _from_index(mirror, run, rest=rest)
    return iter(())


def _from_events(mirror: Mirror, run: Run) -> Iterator[PlannedProject]:
    if run.cursor_from is None or run.cursor_to is None:
        return
    events = mirror.ledger.events.between(run.cursor_from, run.cursor_to)
    for chunk in chunks(candidates(events, mirror.policy)):
        chosen = [candidate.project for candidate in chunk]
        known = mirror.ledger.projects.known(chosen)
        waiting = mirror.ledger.backlog.those_of(chosen) | mirror.ledger.to_do.those_of(chosen)
        for candidate in chunk:
            planned = plan_candidate(
                candidate, known.get(candidate.project), waiting=candidate.project in waiting
            )
            if planned is not None:
                yield planned


def _from_index(mirror: Mirror, run: Run, *, rest: bool) -> Iterator[PlannedProject]:
    unlisted = {entry.project: entry for entry in mirror.ledger.backlog.all()}
    yield from plan_from_index(
        _without_seen(_sorted(load_snapshot(mirror.state, run.id).entries()), unlisted),
        mirror.ledger.projects.all(),
        mirror.policy,
        fingerprint=mirror.page_selection,
        recheck=run.request.recheck,
        serial=run.cursor_to,
        goes_on=rest,
    )
    # The others are in the plan already; what the filters leave out is dropped with the backlog.
    for entry in unlisted.values():
        if mirror.policy.rejection_reason(entry.project) is None:
            yield gone_unseen(entry.project, entry.display_name, run.cursor_to)


def _without_seen(
    entries: Iterable[IndexEntry], names: MutableMapping[NormalizedName, BacklogEntry]
) -> Iterator[IndexEntry]:
    """The entries; each is removed from ``names`` as it passes."""
    for entry in entries:
        names.pop(entry.project, None)
        yield entry


def _sorted(entries: Iterable[IndexEntry]) -> Iterator[IndexEntry]:
    """By normalized name; of two spellings of one name the later stands."""
    ordered = sorted(entries, key=attrgetter("project"))
    for entry, following in zip_longest(ordered, islice(ordered, 1, None)):
        if following is None or following.project != entry.project:
            yield entry


def _selected(mirror: Mirror, wanted: Sequence[NormalizedName]) -> Iterator[PlannedProject]:
    known = _known(mirror, wanted)
    return plan_named(wanted, known, reason="asked for", verify=True)


def _changed_during(mirror: Mirror, run: Run, *, only: Sequence[NormalizedName]) -> Iterator[PlannedProject]:
    """What changed in a backfill's interval and what differs from upstream; ``only`` confines it."""
    start, end = interval_of(mirror, run)
    events = mirror.ledger.events.during(start, end)
    touched = {event.project for event in events if changes_content(event.action)}
    touched.update(mirror.ledger.projects.names_uploaded_during(start, end))
    if run.source == "index":
        is_same = mirror.ledger.facts.selection == mirror.selection
        return plan_backfill(
            _sorted(load_snapshot(mirror.state, run.id).entries()),
            mirror.ledger.projects.all(),
            mirror.policy,
            touched=touched,
            only=frozenset(only),
            serial=load_snapshot(mirror.state, run.id).serial,
            complete=is_same and mirror.ledger.to_do.is_empty(),
        )
    if only:
        touched.intersection_update(only)
    wanted = sorted(name for name in touched if mirror.policy.rejection_reason(name) is None)
    return plan_named(wanted, _known(mirror, wanted), reason=CHANGED, verify=True)


def _known(mirror: Mirror, wanted: Sequence[NormalizedName]) -> dict[NormalizedName, KnownProject]:
    known: dict[NormalizedName, KnownProject] = {}
    for chunk in chunks(wanted):
        known |= mirror.ledger.projects.known(chunk)
    return known


def _again(mirror: Mirror, entry: BacklogEntry) -> PlannedProject:
    """A project of the backlog; one that the filters leave out by now is taken off it."""
    why = f"failed before: {entry.reason}"
    if entry.lagging:
        why = entry.reason if entry.error == PUT_OFF else "the page lagged behind upstream's index"
    # That an index did not list it counts from the index on, not from an event before.
    unlisted = entry.gone and entry.announced is not None
    planned = PlannedProject(
        project=entry.project,
        display_name=entry.display_name,
        action=Action.SYNC,
        reason=why,
        serial=entry.announced if unlisted else entry.serial,
        exact=entry.exact and not unlisted,
        gone=entry.gone,
    )
    refused = mirror.policy.rejection_reason(entry.project)
    if refused is None:
        return planned
    known = mirror.ledger.projects.known([entry.project]).get(entry.project)
    if known is not None and known.present:
        return removal(known, refused)
    return replace(planned, action=Action.REMOVE, reason=refused)
