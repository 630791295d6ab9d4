"""Audit: the ledger against the tree against upstream, a part of the mirror a run, and repair.

A run takes the projects whose turn is longest ago, as many as its budget of bytes allows. It walks the
pool's directories in step with the window, compares root index and name map, and asks upstream for the pages
it was asked for longest ago: some changes come without an event (archiving, provenance and metadata that came
later).
"""

import dataclasses
import logging
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.audit.events import behind_events, follow_events
from pypi_mirror.audit.findings import AuditCoverage, AuditReport, Kind, Tallying
from pypi_mirror.audit.project_audit import ProjectAudit
from pypi_mirror.audit.repair import clashing, recheck
from pypi_mirror.audit.tree import (
    PoolParts,
    check_name_map,
    check_root_index,
    remove_leftovers,
    repair_name_map,
    repair_root_index,
    stray_pages,
    sweep_orphans,
    walk_pool,
)
from pypi_mirror.changes.upstream_identity import require_same
from pypi_mirror.chunks import chunks
from pypi_mirror.errors import DiskFault
from pypi_mirror.facts.facts import Facts
from pypi_mirror.facts.values import AuditFindings
from pypi_mirror.ledger.cutting import UNCUT
from pypi_mirror.ledger.results import Failed
from pypi_mirror.ledger.runs import Run, RunRequest
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Failure, PlannedProject, RunKind
from pypi_mirror.observing.asked_for_names import require_held
from pypi_mirror.observing.coverage import needed_bytes
from pypi_mirror.observing.progress import run_under_way
from pypi_mirror.planning.decide_plan import decide_plan
from pypi_mirror.planning.plan import asked_for
from pypi_mirror.planning.removals import require_none_waits
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.read_pages import read_pages
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import fail_run, report

log = logging.getLogger(__name__)

_DAY: Final = 24 * 3600
# More stray pages than this are no accident of the disk but a ledger that was lost.
_MOST_STRAYS: Final = 20
# Projects asked for upstream at once, and how many of them may turn out to be gone: more is an upstream that
# has lost its mind, and the guard of an ordinary sync is the place to weigh that.
_RECHECKED_AT_ONCE: Final = 100
_MOST_GONE: Final = 20
_ORPHANS_NOTED_AT_ONCE: Final = 1_000
_FINDINGS_KEPT: Final = 10


class AuditRequest(Struct, frozen=True, kw_only=True):
    """What an audit is asked for.

    ``label`` names its run. ``budget`` bytes are read at most (and one file at least), ``pages`` projects
    asked for upstream; None: as the settings say. ``projects``: only these, whole. ``everything``: all
    projects and all of the pool, whenever they were audited last and whatever the budget. ``dry_run`` looks,
    tells, and changes nothing, beside whatever run is at work.
    """

    label: str
    budget: int | None = None
    pages: int | None = None
    projects: tuple[NormalizedName, ...] = ()
    everything: bool = False
    dry_run: bool = False


def audit(mirror: Mirror, request: AuditRequest) -> AuditReport:
    """Look for damage, repair it, and say what was found.

    Takes the mirror's lease, but for a dry run; raises MirrorBusy while another run has it, or has given it
    back to wait for a person's approval. MirrorError says that the mirror as a whole is not as it should be,
    or that upstream could not be asked: then what the repairs needed from it is on the backlog, and off the
    pages where it was damaged.
    """
    # One project that cannot be repaired must not keep the others from it.
    mirror = dataclasses.replace(
        mirror, settings=dataclasses.replace(mirror.settings, stop_on_error=False, max_failures=None)
    )
    tally = Tallying()
    require_held(mirror, request.projects)
    if request.dry_run:
        under_way = run_under_way(mirror)
        _Audit(mirror, request, tally, run=None, under_way=under_way).check()
        report_ = tally.report(dry_run=True, coverage=_coverage(mirror, request), reason=None)
        return replace(report_, beside=None if under_way is None else under_way.request.label)
    require_none_waits(mirror)
    require_same(mirror)
    mirror.require_own_tree()
    mirror.ledger.lease.take(request.label)
    try:
        run = mirror.ledger.runs.begin(
            RunRequest(label=request.label, kind=RunKind.AUDIT, projects=request.projects)
        )
        cursor = mirror.ledger.facts.cursor
        mirror.ledger.runs.fetched(run.id, source="ledger", cursor_from=cursor, cursor_to=cursor)
        mirror.ledger.plan.write(run.id, ())
        waits = mirror.ledger.facts.unpublished is not None
        reason = _Audit(mirror, request, tally, run=mirror.ledger.runs.get(run.id)).check()
        # What a sync left unpublished, for it had to stop, is for a sync to publish.
        if not waits:
            rebuild_index(mirror, run.id)
        coverage = _coverage(mirror, request)
        report(mirror, run.id, reason=reason)
        found = tally.report(dry_run=False, coverage=coverage, reason=reason)
        _note_findings(mirror, run.id, found)
        return found
    except OSError as error:
        fail_run(mirror, request.label, str(error))
        where = str(error.filename or mirror.settings.directory)
        raise DiskFault(error.strerror or str(error), path=where) from error
    except BaseException as error:
        fail_run(mirror, request.label, str(error) or type(error).__name__)
        raise


class _Audit:
    """One audit; ``run`` is None in a dry run, which repairs nothing and goes on beside ``under_way``."""

    def __init__(
        self,
        mirror: Mirror,
        request: AuditRequest,
        tally: Tallying,
        *,
        run: Run | None,
        under_way: Run | None = None,
    ) -> None:
        self._mirror = mirror
        self._request = request
        self._tally = tally
        self._run = run
        self._sync_now = None if run is None else partial(sync_now, mirror, run.id)
        # What belongs to no one project is of that run until it has ended.
        self._whole = not request.projects and under_way is None
        unlimited = request.everything or bool(request.projects)
        budget = mirror.settings.audit.bytes_per_run if request.budget is None else request.budget
        self._projects = ProjectAudit(
            mirror,
            tally,
            run,
            self._sync_now,
            budget=None if unlimited and request.budget is None else budget,
            under_way=under_way,
        )

    def check(self) -> str | None:
        """Everything in its order; a reason why the audit ended early, None when it did not."""
        request = self._request
        self._projects.check(names=request.projects, everything=request.everything)
        clashes = self._check_tree() if self._whole else []
        self._projects.repair()
        self._check_events()
        if self._run is not None:
            self._tally.repaired += len(clashes) - len(clashing(self._mirror.ledger.locations, clashes))
        return self._recheck()

    def _check_events(self) -> None:
        found = behind_events(self._mirror, names=self._request.projects)
        for chunk in chunks(found, _RECHECKED_AT_ONCE):
            for finding, _ in chunk:
                self._tally.add(finding)
            if self._sync_now is not None:
                planned = [each for _, each in chunk]
                follow_events(self._mirror, self._tally, planned, self._sync_now, most_gone=_MOST_GONE)

    def _check_tree(self) -> list[str]:
        """Returns the places, relative to ``web/``, for which pages list two files."""
        clashes = self._check_pool()
        self._check_strays()
        # A page without a row lists files without rows.
        if self._run is not None and self._mirror.settings.delete_packages and self._projects.knows_all():
            self._tally.swept += sweep_orphans(self._mirror, self._projects.keep_lease)
        for finding in (index := check_root_index(self._mirror)):
            self._tally.add(finding)
        for finding in (name_map := check_name_map(self._mirror)):
            self._tally.add(finding)
        if self._run is None:
            return clashes
        if index:
            repair_root_index(self._mirror, index)
            # It may be the ledger that has lost a project: the next sync compares it with upstream's index.
            self._mirror.ledger.facts.put(Facts.selection.to(None))
        if name_map:
            repair_name_map(self._mirror)
        self._tally.repaired += len(index) + len(name_map)
        return clashes

    def _check_pool(self) -> list[str]:
        turn = PoolParts.of(self._mirror, everything=self._request.everything)
        found = walk_pool(self._mirror, turn.parts, self._projects.keep_lease)
        clashes: list[str] = []
        for chunk in chunks(found, _ORPHANS_NOTED_AT_ONCE):
            places: dict[Kind, list[str]] = {Kind.CLASH: [], Kind.ORPHAN: []}
            for finding in chunk:
                self._tally.add(finding)
                places.setdefault(finding.kind, []).append(finding.path.removeprefix("web/"))
            clashes += places[Kind.CLASH]
            if self._run is not None:
                self._tally.repaired += remove_leftovers(self._mirror, chunk)
                self._projects.note_orphans(places[Kind.ORPHAN])
        self._tally.directories += turn.count
        if self._run is not None:
            turn.note(self._mirror)
            claimants = clashing(self._mirror.ledger.locations, clashes)
            self._projects.check_also(sorted({one.project for each in claimants.values() for one in each}))
        return clashes

    def _check_strays(self) -> None:
        found = stray_pages(self._mirror, self._projects.keep_lease)
        names: list[NormalizedName] = []
        for finding in islice(found, _MOST_STRAYS + 1):
            self._tally.add(finding)
            names += [] if finding.project is None else [finding.project]
        if self._run is None or not names:
            return
        # The ledger may have lost the project, and others without leaving a page.
        self._mirror.ledger.facts.put(Facts.selection.to(None))
        if len(names) > _MOST_STRAYS:
            log.error("more than %d pages of projects that the ledger does not have", _MOST_STRAYS)
            return
        self._projects.repair([name for name in names if self._mirror.policy.rejection_reason(name) is None])
        known = self._mirror.ledger.projects.known(names)
        for name in names:
            if name in self._tally.failures:
                continue
            if name not in known or not known[name].present:
                self._mirror.pages.remove_stray(name)
            self._tally.repaired += 1

    def _recheck(self) -> str | None:
        """Ask upstream for the pages that it was asked for longest ago; why that ended early, else None."""
        if self._sync_now is None:
            return None
        mirror, settings = self._mirror, self._mirror.settings.audit
        if self._request.projects:
            known = mirror.ledger.projects.known(self._request.projects)
            chosen = [project for project in known.values() if project.present]
        else:
            limit = settings.pages_per_run if self._request.pages is None else self._request.pages
            before = int(mirror.clock() - settings.within_days * _DAY / 2)
            chosen = mirror.ledger.audits.asked_longest_ago(before=before, limit=limit)
        planned = [asked_for(project, "asked for longest ago") for project in chosen]
        for chunk in chunks(planned, _RECHECKED_AT_ONCE):
            recheck(mirror, self._tally, chunk, self._sync_now)
            if self._tally.removed > _MOST_GONE:
                return (
                    f"{self._tally.removed} projects that were asked for again are gone upstream; no more "
                    "were asked for. Look at upstream, then run `pypi-mirror sync --recheck`"
                )
        return None


def _note_findings(mirror: Mirror, run_id: int, report: AuditReport) -> None:
    """Keep what an audit found; of earlier ones the last few stay."""
    noted = AuditFindings(
        run_id=run_id,
        found={str(kind): number for kind, number in sorted(report.found.items())},
        repaired=report.repaired,
        unrepaired=report.unrepaired,
    )
    others = [each for each in mirror.ledger.facts.audit_findings or () if each.run_id != run_id]
    mirror.ledger.facts.put(Facts.audit_findings.to((noted, *others)[:_FINDINGS_KEPT]))


def _coverage(mirror: Mirror, request: AuditRequest) -> AuditCoverage:
    settings = mirror.settings.audit
    window = settings.within_days * _DAY
    found = mirror.ledger.audits.coverage(int(mirror.clock() - window))
    needed = needed_bytes(found.bytes, mirror.ledger.audits.interval(), window)
    budget = settings.bytes_per_run if request.budget is None else request.budget
    return AuditCoverage(
        days=settings.within_days,
        oldest=found.oldest,
        share_of_projects=found.projects_covered / found.projects if found.projects else 1.0,
        share_of_bytes=found.bytes_covered / found.bytes if found.bytes else 1.0,
        needed_bytes=needed,
        suffices=None if needed is None else budget >= needed,
    )


def sync_now(
    mirror: Mirror, run_id: int, planned: Sequence[PlannedProject], *, replace: bool = False
) -> list[Failure]:
    """Read, decide and sync ``planned``; returns what failed or was withheld, which is on the backlog.

    What the run has looked at before is looked at once more with ``replace`` alone.
    """
    mirror.ledger.plan.add(run_id, planned, replace=replace)
    read = read_pages(mirror, run_id, again=False)
    withheld = decide_plan(mirror, mirror.ledger.runs.get(run_id))
    synced = download_projects(mirror, run_id, UNCUT, again=False)
    return [*map(_as_failure, (*read.failed, *withheld)), *synced.failures]


def _as_failure(failed: Failed) -> Failure:
    return Failure(
        project=failed.planned.project, error=failed.error, reason=failed.reason, files=failed.files
    )
