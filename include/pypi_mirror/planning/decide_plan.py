"""Deciding over a plan from the catalogue: what it takes, what it loses, what is withheld. No network."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.catalogue import Entry, EntryState, decode_page
from pypi_mirror.chunks import chunks
from pypi_mirror.errors import UnreadableEntry
from pypi_mirror.facts.values import UnmetRule
from pypi_mirror.fetching.deciding import Before, Work
from pypi_mirror.ledger.lease import LeaseKeeper
from pypi_mirror.ledger.losses import Losses
from pypi_mirror.ledger.results import Failed
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Action, PlannedProject, ProjectPage, RunKind
from pypi_mirror.planning.guard import Losing, described, unannounced, weigh_silent, withheld
from pypi_mirror.planning.removals import removed_lately
from pypi_mirror.planning.unmet_rules import note_unmet, unmet_on, unmet_rules

log = logging.getLogger(__name__)

# Projects whose rows, and small pages, are in memory at once.
_CHUNK: Final = 200


def decide_plan(mirror: Mirror, run: Run) -> list[Failed]:
    """Note in the plan what each project takes and loses whose page was read, and return what is withheld.

    Projects that lose something unannounced go on, or, beyond the limits, to the backlog, all of them.
    """
    losing: list[Losing] = []
    unmet: dict[NormalizedName, tuple[UnmetRule, ...]] = {}
    mirror.ledger.plan.note_decided(run.id, _decided(mirror, run, losing, unmet))
    note_unmet(mirror, unmet)
    failed = _withheld(mirror, run, losing)
    for each in failed:
        log.warning("%s is withheld: %s", each.planned.project, each.reason)
    if failed:
        mirror.page_reads(run).record(failed)
    return failed


def look_up(mirror: Mirror, planned: Sequence[PlannedProject]) -> list[Before]:
    """What the ledger has of each of ``planned``."""
    names = [each.project for each in planned]
    known = mirror.ledger.projects.known(names)
    files = mirror.ledger.projects.files_of([k.id for k in known.values()])
    past = mirror.ledger.projects.past_files(names)
    entries = mirror.ledger.catalogue.entries(names)
    held, facts = mirror.ledger.held_files.of(names), mirror.ledger.facts
    as_of, planned_at = facts.as_of or 0, facts.planned_at or 0
    found = []
    for name in names:
        project = known.get(name)
        found.append(
            Before(
                project=project,
                files={} if project is None else files[project.id],
                past=past.get(name, {}),
                entry=entries.get(name),
                held=held.get(name, {}),
                as_of=as_of,
                planned_at=planned_at,
            )
        )
    return found


def _decided(
    mirror: Mirror,
    run: Run,
    losing: list[Losing],
    unmet: dict[NormalizedName, tuple[UnmetRule, ...]],
) -> Iterator[PlannedProject]:
    """The plan's projects with what they come to; those that lose something unannounced go to ``losing``, and
    what is asked for and upstream's pages lack to ``unmet``.
    """
    noted = {each.project for each in unmet_rules(mirror)}
    keep_lease = LeaseKeeper(mirror.ledger.lease, run.request.label)
    for chunk in chunks(mirror.ledger.plan.to_decide(run.id, mirror.page_selection), _CHUNK):
        keep_lease()
        for planned, before in zip(chunk, look_up(mirror, chunk), strict=True):
            page, work = _work(mirror, planned, before)
            lacks = () if page is None else unmet_on(mirror.policy, page)
            if lacks or planned.project in noted:
                unmet[planned.project] = lacks
            if work.silent is not None:
                losing.append(
                    Losing(
                        planned=planned,
                        loss=work.silent,
                        serial=None if before.project is None else before.project.serial,
                        is_gone=page is None,
                        # An event has named it: it is asked for again.
                        is_kept=page is None and planned.exact,
                    )
                )
            yield _decided_as(planned, work)


def decided(mirror: Mirror, planned: Iterable[PlannedProject]) -> Iterator[PlannedProject]:
    """``planned`` with what each comes to."""
    for chunk in chunks(planned, _CHUNK):
        for each, before in zip(chunk, look_up(mirror, chunk), strict=True):
            yield _decided_as(each, _work(mirror, each, before)[1])


def only_adding(mirror: Mirror, planned: Iterable[PlannedProject]) -> list[PlannedProject]:
    """Those of ``planned``, decided, that take nothing off the pages."""
    found = []
    for chunk in chunks(planned, _CHUNK):
        for each, before in zip(chunk, look_up(mirror, chunk), strict=True):
            page, work = _work(mirror, each, before)
            if page is not None and work.silent is None and not (work.loses_project or work.loses_files):
                found.append(_decided_as(each, work))
    return found


def _decided_as(planned: PlannedProject, work: Work) -> PlannedProject:
    return replace(
        planned,
        new_files=work.new_files,
        new_bytes=work.new_bytes,
        unsized_files=work.unsized_files,
        loses_project=work.loses_project,
        loses_files=work.loses_files,
        loses_bytes=work.loses_bytes,
    )


def _work(mirror: Mirror, planned: PlannedProject, before: Before) -> tuple[ProjectPage | None, Work]:
    """Upstream's page, as far as it was read, and what the project comes to."""
    if planned.action is Action.REMOVE or (planned.gone and planned.unread):
        return None, mirror.decider.work(planned, before, None)
    if not planned.unread:
        try:
            page = _page(mirror, before.entry)
            return page, mirror.decider.work(planned, before, page)
        except UnreadableEntry as error:
            log.warning("%s; upstream is asked for it again", error)
            if mirror.scratch is None:
                mirror.ledger.catalogue.forget([planned.project])
    return None, mirror.decider.unread_work(before)


def _page(mirror: Mirror, entry: Entry | None) -> ProjectPage | None:
    if entry is None or entry.state is EntryState.GONE:
        return None
    body = entry.body or mirror.ledger.catalogue.body(entry.project)
    return decode_page(body, project=entry.project, etag=entry.etag)


def _withheld(mirror: Mirror, run: Run, losing: list[Losing]) -> list[Failed]:
    """Those of ``losing`` that may not follow upstream: all that nothing announced, or none.

    What a person asks for by name follows upstream whatever it loses: that is how one approves it. Raises
    LeaseLost when another run has taken the mirror over.
    """
    events = mirror.ledger.events.of(sorted(each.planned.project for each in losing)) if losing else []
    silent = unannounced(losing, events)
    if not silent:
        return []
    losses = Losses(mirror.ledger.engine, run.id)
    lost = losses.add({each.planned.project: each.loss for each in silent})
    if run.request.kind is not RunKind.SELECTED:
        over = weigh_silent(
            lost,
            mirror.settings.guard,
            asked_for=losses.asked_for,
            held=mirror.ledger.projects.totals,
            lately=removed_lately(mirror, run.id),
        )
        if over:
            return withheld(silent, lost, over)
    losses.forget([each.planned.project for each in silent if each.is_kept])
    for each in silent:
        if not each.is_kept:
            log.warning(
                "%s: %s, and no event or index announced it; its page follows upstream",
                each.planned.project,
                described(each),
            )
    return []
