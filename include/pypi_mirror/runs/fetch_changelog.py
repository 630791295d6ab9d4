"""Step 1: what has changed upstream since the cursor?

The answer is kept where it outlives this process: events in the ledger, a root index beside it.
"""

import logging
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from pypi_mirror.changes.interval import compare_index, fetch_events, interval_of
from pypi_mirror.changes.upstream_identity import (
    AnotherUpstream,
    begin_with_another,
    check_event,
    difference,
    follow_events,
    require_same,
    sample_of,
)
from pypi_mirror.changes.upstream_index import find_simple_root, upstream_index
from pypi_mirror.changes.upstream_state import note_as_of, note_fetched, note_silence
from pypi_mirror.errors import MirrorError, UpstreamError
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.runs import Run, RunRequest, names
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind
from pypi_mirror.observing.dependencies import why_selected
from pypi_mirror.options.first import read_first
from pypi_mirror.planning.to_do import goes_on
from pypi_mirror.publishing.grace import note_clock
from pypi_mirror.settings.requirements import read_requirements
from pypi_mirror.upstream.changelog import NO_EVENTS, NoChangelog, TooFarBehind
from pypi_mirror.upstream.control import Control
from pypi_mirror.upstream.index_snapshot import save_snapshot
from pypi_mirror.upstream.root_index import check_not_older

log = logging.getLogger(__name__)

# Where a plan's projects come from: the events since the cursor, a comparison of upstream's root index
# with the ledger, or the ledger and the request alone.
Source = Literal["changelog", "index", "ledger"]


class Fetched(Struct, frozen=True, kw_only=True):
    """``cursor_to`` is the serial the mirror will be complete up to when all of the plan is done.

    ``filters_changed`` says that the last complete run had other filters, or made other pages, so that all
    projects are looked at; ``goes_on`` that the run goes on with what earlier ones have left.
    """

    run_id: int
    source: Source
    cursor_from: int | None
    cursor_to: int | None
    events: int
    filters_changed: bool = False
    goes_on: bool = False


def fetch_changelog(mirror: Mirror, request: RunRequest) -> Fetched:
    """Begin, or continue, the run of ``request`` and find out what it has to look at.

    Takes the mirror's lease. Raises MirrorBusy while another run has it, UpstreamError when upstream
    cannot be asked, and, before anything has begun, MirrorError for a project that the filters leave out and
    ConfigurationError for a file of ``[schedule] first`` or ``[allowlist] requirements`` that cannot be read.
    """
    if request.kind is RunKind.SYNC:
        read_first(mirror.settings.schedule.first, mirror.settings.path)
        for remark in read_requirements(mirror.settings).unserved:
            log.warning("not mirrored: %s", remark)
    for name in names(request):
        if mirror.policy.rejection_reason(name) is not None:
            why = why_selected(mirror, name)
            raise MirrorError(f"{name} was asked for, but the filters leave it out: {why}")
    mirror.require_own_tree()
    mirror.ledger.lease.take(request.label)
    run = mirror.ledger.runs.begin(request)
    cursor = mirror.ledger.facts.cursor
    with mirror.control() as control:
        try:
            fetched = _fetch(mirror, control, run, cursor)
        except UpstreamError as error:
            note_silence(mirror, error)
            raise
        note_as_of(mirror, control, newest=fetched.cursor_to if request.kind is RunKind.SYNC else None)
    if fetched.filters_changed:
        log.info("the filters changed since the last complete run: all projects are looked at")
    note_clock(mirror, control.lead)
    if request.kind is RunKind.SYNC:
        note_fetched(mirror, upto=fetched.cursor_to)
    mirror.ledger.runs.fetched(
        run.id, source=fetched.source, cursor_from=fetched.cursor_from, cursor_to=fetched.cursor_to
    )
    return fetched


def _fetch(mirror: Mirror, control: Control, run: Run, cursor: int | None) -> Fetched:
    if run.request.kind is RunKind.BACKFILL:
        require_same(mirror)
        return _fetch_interval(mirror, control, run, cursor)
    if run.request.kind is not RunKind.SYNC:
        if cursor is None and not mirror.ledger.projects.totals().projects:
            # No sync has found out yet where upstream's pages are.
            find_simple_root(mirror, control, list(names(run.request)))
        return Fetched(run_id=run.id, source="ledger", cursor_from=cursor, cursor_to=cursor, events=0)
    why = difference(mirror, mirror.ledger.facts.upstream_identity)
    if why is not None:
        return _from_index(mirror, control, run, cursor, etag=None)
    selection = mirror.ledger.facts.selection
    # All that upstream had by then is done or in what is left, however far behind the cursor is.
    read = mirror.ledger.facts.read
    if run.request.recheck or selection != mirror.selection:
        if read is not None:
            _note_events(mirror, control, run, read)
        fetched = _from_index(mirror, control, run, read, etag=None)
        return replace(fetched, filters_changed=selection not in (None, mirror.selection))
    rest = goes_on(mirror, run)
    # An unchanged index means unchanged projects only where it carries their serials, that is, where it gave
    # us one to go on from, or where it is asked for in parts.
    etag = mirror.ledger.facts.index_etag if rest or read is not None else None
    return replace(_fetch_since(mirror, control, run, read, etag=etag), goes_on=rest)


def _fetch_interval(mirror: Mirror, control: Control, run: Run, cursor: int | None) -> Fetched:
    """For a backfill; whatever it finds, the cursor stays."""
    start, end = interval_of(mirror, run)
    events, compared = 0, False
    if start < end:
        events = fetch_events(mirror, control, run)
        compared = compare_index(mirror, control, run)
    return Fetched(
        run_id=run.id,
        source="index" if compared else "ledger",
        cursor_from=cursor,
        cursor_to=cursor,
        events=events,
    )


def _fetch_since(
    mirror: Mirror, control: Control, run: Run, serial: int | None, *, etag: str | None
) -> Fetched:
    """What upstream has after ``serial``: its events, or its root index unless that is still of ``etag``."""
    if serial is not None:
        try:
            return _from_changelog(mirror, control, run, serial)
        except (NoChangelog, TooFarBehind):
            pass
        except NO_EVENTS as error:
            log.warning("%s; falling back to the root index", error)
        except AnotherUpstream as error:
            begin_with_another(mirror, str(error))
            return _from_index(mirror, control, run, None, etag=None)
    return _from_index(mirror, control, run, serial, etag=etag)


def _note_events(mirror: Mirror, control: Control, run: Run, serial: int) -> None:
    """Keep upstream's events after ``serial``, if it tells them: no index says which files it removed."""
    try:
        _from_changelog(mirror, control, run, serial)
    except (*NO_EVENTS, AnotherUpstream) as error:
        log.debug("no events: %s", error)


def _from_changelog(mirror: Mirror, control: Control, run: Run, serial: int) -> Fetched:
    last, count = serial, 0
    changelog = mirror.changelog(control)
    for events in changelog.since(serial, check=lambda found: check_event(mirror, serial, found)):
        mirror.ledger.lease.renew(run.request.label)
        mirror.ledger.events.add(events)
        follow_events(mirror, events)
        last, count = events[-1].serial, count + len(events)
    # The next sync hears of them again.
    for event in () if run.request.dry_run else changelog.absurd:
        mirror.ledger.backlog.add_unread(
            event.project, event.name, run.id, f"an event of the absurd serial {event.serial} names it"
        )
    return Fetched(run_id=run.id, source="changelog", cursor_from=serial, cursor_to=last, events=count)


def _from_index(
    mirror: Mirror, control: Control, run: Run, cursor: int | None, *, etag: str | None
) -> Fetched:
    known = mirror.ledger.facts.upstream_identity
    why = difference(mirror, known)
    # Serials of another upstream mean nothing: the new one's may be any.
    index = upstream_index(mirror, control, etag=etag, after=cursor if why is None else None)
    if index is None:
        return Fetched(run_id=run.id, source="ledger", cursor_from=cursor, cursor_to=cursor, events=0)
    entries = list(index.entries())
    if why is None:
        check_not_older(index, cursor)
        why = difference(mirror, known, entries)
    if why is not None:
        begin_with_another(mirror, why)
        cursor = None
    mirror.ledger.facts.put(Facts.upstream_identity.to(sample_of(mirror, entries)))
    save_snapshot(mirror.state, run.id, index)
    return Fetched(run_id=run.id, source="index", cursor_from=cursor, cursor_to=index.serial, events=0)
