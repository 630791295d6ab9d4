"""Step 2: make the plan from what step 1 found, and cut it into batches."""

from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from operator import attrgetter

from packaging.utils import NormalizedName

from pypi_mirror.backfill_plan import CHANGED, plan_backfill
from pypi_mirror.ledger.backlog import BacklogEntry
from pypi_mirror.ledger.plan import BatchSize
from pypi_mirror.ledger.projects import KnownProject
from pypi_mirror.ledger.runs import Run, names
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Action, IndexEntry, PlannedProject, RunKind
from pypi_mirror.planning import (
    WORTH_A_TASK,
    candidates,
    gone_unseen,
    plan_candidate,
    plan_from_index,
    plan_named,
    removal,
)
from pypi_mirror.steps.guard_removals import Removals, note_files_left_out, weigh_removals
from pypi_mirror.steps.index_snapshot import load_snapshot
from pypi_mirror.steps.interval import interval_of
from pypi_mirror.steps.left_over import LeftOver, left_over, to_continue
from pypi_mirror.steps.pause import forget_pause, pause_of
from pypi_mirror.steps.stray_pages import StrayPages
from pypi_mirror.steps.turns import cut_plan
from pypi_mirror.steps.unknown_names import note_unlisted_names
from pypi_mirror.upstream.changelog import changes_content

_CHUNK = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A part of the plan; ``name`` tells people what it holds."""

    number: int
    name: str
    projects: int
    known_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """The plan of a run in figures; ``projects`` counts removals too, and ``weighed`` says what they cost.

    ``left`` projects are planned besides and left to later runs: they are over the bound of this one.
    """

    run_id: int
    projects: int
    removals: int
    batches: tuple[Batch, ...]
    weighed: Removals
    left: int = 0


def partition_projects(
    mirror: Mirror,
    run_id: int,
    *,
    batch_size: int | None = None,
    at_least: int = 1,
    smallest: int = WORTH_A_TASK,
) -> Partition:
    """Write the plan of run ``run_id`` to the ledger; a plan that is there already is made anew.

    What earlier runs have left comes into it. It is weighed as a whole, and cut into batches as far as the
    run may go.
    A batch holds ``batch_size`` projects on average (default: the settings'), fewer where there is work for
    ``at_least`` as many batches of ``smallest`` projects or more.
    """
    run = mirror.ledger.runs.get(run_id)
    mirror.ledger.lease.renew(run.request.label)
    # Another run's pause stays true until this one has downloaded: it may be a dry run.
    if run.request.any_hour or pause_of(mirror, run_id) is not None:
        forget_pause(mirror)
    rest = to_continue(mirror, run)
    _write(mirror, run, rest)
    pages = 0
    if run.request.kind is RunKind.SYNC and run.source == "index":
        strays = StrayPages(mirror, run)
        mirror.ledger.plan.add(run_id, strays.plan())
        pages = strays.found
        note_files_left_out(mirror, run_id)
        note_unlisted_names(mirror, run_id)
    approved = rest.run_id if rest is not None and rest.approved else None
    weighed = weigh_removals(mirror, run_id, pages=pages, approved_in=approved)
    size = batch_size or mirror.settings.schedule.batch_size
    cut_plan(mirror, run, batch_size=size, at_least=at_least, smallest=smallest)
    sizes = mirror.ledger.plan.batches(run_id)
    return Partition(
        run_id=run_id,
        projects=sum(size.projects for size in sizes),
        removals=sum(size.removals for size in sizes),
        batches=tuple(_batch(size) for size in sizes),
        weighed=weighed,
        left=mirror.ledger.plan.left(run_id),
    )


def _write(mirror: Mirror, run: Run, rest: LeftOver | None) -> None:
    """Write what is new, then what earlier runs have left, then the backlog: what came first stands."""
    plan = mirror.ledger.plan
    if rest is not None and rest.run_id == run.id and run.source != "index":
        # The run itself had begun, so what it went on with is in its own plan alone.
        plan.add(run.id, _plan(mirror, run, rest), replace=True)
    else:
        plan.write(run.id, _plan(mirror, run, rest))
        if rest is not None and rest.run_id != run.id:
            plan.take_over(
                run.id,
                rest_of=rest.run_id,
                since=mirror.ledger.runs.get(rest.run_id).started_at,
                selection=mirror.page_selection,
                failed=not rest.published,
                # Of what the mirror does not hold, the comparison with upstream's index has said all.
                present=run.source == "index",
            )
    if run.request.kind is RunKind.SYNC:
        plan.add(run.id, (_again(mirror, entry) for entry in mirror.ledger.backlog.due()))


def _plan(mirror: Mirror, run: Run, rest: LeftOver | None) -> Iterator[PlannedProject]:
    request = run.request
    if request.kind is RunKind.SELECTED:
        return _selected(mirror, names(request))
    if request.kind is RunKind.BACKFILL:
        return _changed_during(mirror, run, only=names(request))
    if run.source == "changelog":
        return _from_events(mirror, run, rest)
    if run.source == "index":
        return _from_index(mirror, run, since=None if rest is None else rest.since)
    return iter(())


def _from_events(mirror: Mirror, run: Run, rest: LeftOver | None) -> Iterator[PlannedProject]:
    if run.cursor_from is None or run.cursor_to is None:
        return
    events = mirror.ledger.events.between(run.cursor_from, run.cursor_to)
    remaining = iter(candidates(events, mirror.selector))
    while chunk := list(islice(remaining, _CHUNK)):
        chosen = [candidate.project for candidate in chunk]
        known = mirror.ledger.projects.known(chosen)
        waiting = mirror.ledger.backlog.those_of(chosen)
        if rest is not None:
            waiting |= mirror.ledger.plan.has(rest.run_id, chosen)
        for candidate in chunk:
            planned = plan_candidate(
                candidate, known.get(candidate.project), waiting=candidate.project in waiting
            )
            if planned is not None:
                yield planned


def _from_index(mirror: Mirror, run: Run, *, since: int | None) -> Iterator[PlannedProject]:
    unlisted = {entry.project: entry for entry in mirror.ledger.backlog.all()}
    yield from plan_from_index(
        _striking(_sorted(load_snapshot(mirror.state, run.id).entries()), unlisted),
        mirror.ledger.projects.all(),
        mirror.selector,
        fingerprint=mirror.page_selection,
        recheck=run.request.recheck,
        serial=run.cursor_to,
        since=since,
    )
    # The others are in the plan already; what the filters leave out is dropped with the backlog.
    for entry in unlisted.values():
        if mirror.selector.why_not(entry.project) is None:
            yield gone_unseen(entry.project, entry.display_name, run.cursor_to)


def _striking(
    entries: Iterable[IndexEntry], names: MutableMapping[NormalizedName, BacklogEntry]
) -> Iterator[IndexEntry]:
    """The entries; those of ``names`` that come by are struck out there."""
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
        return plan_backfill(
            _sorted(load_snapshot(mirror.state, run.id).entries()),
            mirror.ledger.projects.all(),
            mirror.selector,
            touched=touched,
            only=frozenset(only),
            serial=load_snapshot(mirror.state, run.id).serial,
            complete=mirror.ledger.facts.get("selection") == mirror.selection and left_over(mirror) is None,
        )
    if only:
        touched.intersection_update(only)
    wanted = sorted(name for name in touched if mirror.selector.why_not(name) is None)
    return plan_named(wanted, _known(mirror, wanted), reason=CHANGED, verify=True)


def _known(mirror: Mirror, wanted: Sequence[NormalizedName]) -> dict[NormalizedName, KnownProject]:
    known: dict[NormalizedName, KnownProject] = {}
    for start in range(0, len(wanted), _CHUNK):
        known |= mirror.ledger.projects.known(wanted[start : start + _CHUNK])
    return known


def _again(mirror: Mirror, entry: BacklogEntry) -> PlannedProject:
    """A project of the backlog; one that the filters leave out by now is taken off it."""
    why = "the page lagged behind upstream's index" if entry.lagging else f"failed before: {entry.reason}"
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
    refused = mirror.selector.why_not(entry.project)
    if refused is None:
        return planned
    known = mirror.ledger.projects.known([entry.project]).get(entry.project)
    if known is not None and known.present:
        return removal(known, refused)
    return replace(planned, action=Action.REMOVE, reason=refused)


def batch_name(mirror: Mirror, run_id: int, number: int) -> str:
    """What batch ``number`` of a planned run holds, for people: ``aiohttp … black, 700 projects``."""
    (size,) = mirror.ledger.plan.batches(run_id, number)
    return _name(size)


def _name(size: BatchSize) -> str:
    return size.first if size.projects == 1 else f"{size.first} … {size.last}, {size.projects} projects"


def _batch(size: BatchSize) -> Batch:
    return Batch(number=size.number, name=_name(size), projects=size.projects, known_bytes=size.known_bytes)
