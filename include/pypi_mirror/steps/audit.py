"""Audit: the ledger against the tree against upstream, a part of the mirror a run, and repair.

A run takes the projects whose turn is longest ago, as many as its budget of bytes allows, and looks at page,
rows and files of each at once: so a file is read once, files of one project lie near each other on the disk
and in the ledger, and where a run ends the next begins. It walks the pool's directories in step with the
window, compares root index and name map, and asks upstream for the pages it was asked for longest ago: some
changes come without an event (archiving, provenance and metadata that came later).
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.auditing.findings import Finding, Kind
from pypi_mirror.auditing.pages import PageAudit
from pypi_mirror.auditing.projects import ProjectLook, look_at_project
from pypi_mirror.disk import remove_file
from pypi_mirror.errors import MirrorError
from pypi_mirror.ledger.audits import AuditedProject
from pypi_mirror.ledger.results import UNPUBLISHED
from pypi_mirror.ledger.runs import Run, RunRequest
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Action, PlannedProject, RunKind
from pypi_mirror.steps.audit_repair import Repair, recheck
from pypi_mirror.steps.audit_report import AuditCoverage, AuditReport, Tallying
from pypi_mirror.steps.audit_tree import (
    PoolTurn,
    look_at_name_map,
    look_at_root_index,
    repair_name_map,
    repair_root_index,
    stray_pages,
    sweep_orphans,
    walk_pool,
)
from pypi_mirror.steps.layout import is_tidy
from pypi_mirror.steps.rebuild_index import rebuild_index
from pypi_mirror.steps.report import fail_run, report

log = logging.getLogger(__name__)

_DAY: Final = 24 * 3600
_RENEW_SECONDS: Final = 60.0
# Rows that are looked at between two notes in the ledger, and bytes: what a crash makes the next run repeat.
_FILES_A_CHUNK: Final = 5_000
# Damaged projects that are held in memory before they are repaired.
_REPAIRED_AT_ONCE: Final = 500
# When so many files are gone and they are most of all that were looked at, the pool is not mounted.
_TOO_MANY_GONE: Final = 1_000
# More stray pages than this are no accident of the disk but a ledger that was lost.
_MOST_STRAYS: Final = 20
# Projects asked for upstream at once, and how many of them may turn out to be gone: more is an upstream that
# has lost its mind, and the guard of an ordinary sync is the place to weigh that.
_RECHECKED_AT_ONCE: Final = 100
_MOST_GONE: Final = 20
_ORPHANS_NOTED_AT_ONCE: Final = 1_000
# The fact: a project that was too large for a run's budget, and since when its files are being read.
_RESUME: Final = "audit_resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRequest:
    """What an audit is asked for.

    ``label`` names its run. ``budget`` bytes are read at most (and one file at least), ``pages`` projects
    asked for upstream; None: as the settings say. ``projects``: only these, whole. ``everything``: all
    projects and all of the pool, whenever their turn was and whatever the budget. ``dry_run`` looks, tells,
    and changes nothing, beside whatever run is at work.
    """

    label: str
    budget: int | None = None
    pages: int | None = None
    projects: tuple[NormalizedName, ...] = ()
    everything: bool = False
    dry_run: bool = False


def audit(mirror: Mirror, request: AuditRequest) -> AuditReport:
    """Look for damage, repair it, and say what was found.

    Takes the mirror's lease, but for a dry run; raises MirrorBusy while another run has it. MirrorError says
    that the mirror as a whole is not as it should be, or that upstream could not be asked: then what the
    repairs needed from it is on the backlog, and off the pages where it was damaged.
    """
    # One project that cannot be repaired must not keep the others from it.
    mirror = replace(mirror, settings=replace(mirror.settings, stop_on_error=False))
    tally = Tallying()
    if request.dry_run:
        _Audit(mirror, request, tally, run=None).look()
        return tally.report(dry_run=True, coverage=_coverage(mirror, request), reason=None)
    mirror.ledger.lease.take(request.label)
    try:
        run = mirror.ledger.runs.begin(
            RunRequest(label=request.label, kind=RunKind.AUDIT, projects=request.projects)
        )
        cursor = mirror.ledger.facts.cursor
        mirror.ledger.runs.fetched(run.id, source="ledger", cursor_from=cursor, cursor_to=cursor)
        mirror.ledger.plan.write(run.id, ())
        waits = mirror.ledger.facts.get(UNPUBLISHED) is not None
        reason = _Audit(mirror, request, tally, run=mirror.ledger.runs.get(run.id)).look()
        # What a sync left unpublished, for it had to stop, is for a sync to publish.
        if not waits:
            rebuild_index(mirror, run.id)
        coverage = _coverage(mirror, request)
        report(mirror, run.id, reason=reason)
        return tally.report(dry_run=False, coverage=coverage, reason=reason)
    except BaseException as error:
        fail_run(mirror, request.label, str(error) or type(error).__name__)
        raise


class _Audit:
    """One audit; ``run`` is None in a dry run, which finds and does not repair."""

    def __init__(self, mirror: Mirror, request: AuditRequest, tally: Tallying, *, run: Run | None) -> None:
        self._mirror = mirror
        self._request = request
        self._tally = tally
        self._run = run
        self._repair = None if run is None else Repair(mirror, run.id, tally)
        self._pages = PageAudit(mirror.settings, mirror.pages, one_layout=is_tidy(mirror))
        unlimited = request.everything or bool(request.projects)
        budget = mirror.settings.audit.bytes_per_run if request.budget is None else request.budget
        self._budget = None if unlimited and request.budget is None else budget
        self._damaged: list[ProjectLook] = []
        self._gone = 0
        self._renewed = time.monotonic()
        # Project and time of the fact.
        noted = None if self._budget is None else mirror.ledger.facts.get(_RESUME)
        self._resume = None if noted is None else tuple(map(int, noted.split()))

    def look(self) -> str | None:
        """Everything in its order; a reason why the audit ended early, None when it did not."""
        self._look_at_projects()
        if not self._request.projects:
            self._look_at_tree()
        self._repair_damaged()
        return self._recheck()

    def _look_at_projects(self) -> None:
        request, audits = self._request, self._mirror.ledger.audits
        window = self._mirror.settings.audit.within_days * _DAY
        # What had its turn in the first half of the window is left alone: the disk has other things to do.
        before = None if request.everything or request.projects else int(self._mirror.clock() - window / 2)
        after: tuple[int, int] | None = None
        names = list(request.projects)
        while chunk := audits.due(before=before, after=after, names=names, most_files=_FILES_A_CHUNK):
            self._keep_lease()
            looks = []
            for audited in chunk:
                look = self._look_at_project(audited)
                looks.append(look)
                if not look.complete or self._is_spent():
                    break
            self._take_in(looks)
            if not looks[-1].complete or self._is_spent():
                return
            after = chunk[-1].turn

    def _look_at_project(self, audited: AuditedProject) -> ProjectLook:
        since = self._resumed(audited)
        web, has_files = str(self._mirror.settings.web), self._mirror.settings.release_files
        started = self._tally.bytes

        def goes_on(read: int) -> bool:
            self._keep_lease()
            return self._budget is None or started + read < self._budget

        look = look_at_project(
            web, audited, self._pages, has_files=has_files, hashed_since=since, goes_on=goes_on
        )
        if self._run is None and look.findings:
            # A sync may have been at work on it between our look at the ledger and that at the disk.
            again = self._mirror.ledger.audits.due(
                before=None, after=None, names=[audited.project.project], most_files=1
            )
            if not again:
                return ProjectLook(known=audited.project)
            look = look_at_project(
                web, again[0], self._pages, has_files=has_files, hashed_since=since, goes_on=goes_on
            )
        self._tally.projects += 1
        self._tally.files += look.files
        self._tally.bytes += look.bytes_read
        for finding in look.findings:
            self._tally.add(finding)
        return look

    def _resumed(self, audited: AuditedProject) -> int | None:
        """Since when files of this project are being read, None when all of them have to be."""
        if self._resume is None or self._resume[0] != audited.project.id:
            return None
        return self._resume[1]

    def _is_spent(self) -> bool:
        return self._budget is not None and self._tally.bytes >= self._budget

    def _take_in(self, looks: Sequence[ProjectLook]) -> None:
        """Note what is right; keep what is not, and repair it when that is much."""
        if self._run is None:
            return
        damaged = [look for look in looks if look.findings]
        now = int(self._mirror.clock())
        done = [look.known.id for look in looks if look.complete and not look.findings]
        self._mirror.ledger.audits.verified(
            self._run.id,
            hashed=[(look.known.id, name) for look in looks for name in look.verified],
            looked_at=done,
            digests=[
                (look.known.id, look.page.digest)
                for look in looks
                if look.page is not None and look.page.digest is not None
            ],
            at=now,
        )
        self._note_resume(looks[-1], now)
        self._note_orphans([path for look in looks for path in look.orphans])
        self._damaged += damaged
        self._gone += sum(1 for look in damaged for f in look.findings if f.kind is Kind.MISSING)
        if len(self._damaged) >= _REPAIRED_AT_ONCE:
            self._repair_damaged()

    def _note_resume(self, last: ProjectLook, now: int) -> None:
        if not last.complete and (self._resume is None or self._resume[0] != last.known.id):
            self._resume = (last.known.id, now)
            self._mirror.ledger.facts.put({_RESUME: f"{last.known.id} {now}"})
        elif last.complete and self._resume is not None:
            self._resume = None
            self._mirror.ledger.facts.put({_RESUME: None})

    def _repair_damaged(self, lost: Sequence[NormalizedName] = ()) -> None:
        if self._repair is None or self._run is None or not (self._damaged or lost):
            return
        if self._gone >= _TOO_MANY_GONE and 2 * self._gone > self._tally.files:
            raise MirrorError(
                f"{self._mirror.settings.web / 'packages'}: {self._gone} of {self._tally.files} files are "
                "not there; nothing was repaired. Is the disk mounted? If they are lost for good, "
                "`pypi-mirror sync --recheck` downloads them again"
            )
        damaged, self._damaged = self._damaged, []
        try:
            self._repair.projects(damaged, lost)
        finally:
            # Whatever became of them, they had their turn: those that were not repaired are on the backlog.
            self._mirror.ledger.audits.verified(
                self._run.id,
                hashed=(),
                looked_at=[look.known.id for look in damaged if look.complete],
                digests=(),
                at=int(self._mirror.clock()),
            )

    def _look_at_tree(self) -> None:
        self._look_at_pool()
        self._look_at_strays()
        for finding in (index := look_at_root_index(self._mirror)):
            self._tally.add(finding)
        for finding in (name_map := look_at_name_map(self._mirror)):
            self._tally.add(finding)
        if self._run is None:
            return
        if index:
            repair_root_index(self._mirror, index)
            # It may be the ledger that has lost a project: the next sync compares it with upstream's index.
            self._mirror.ledger.facts.put({"selection": None})
        if name_map:
            repair_name_map(self._mirror)
        self._tally.repaired += len(index) + len(name_map)

    def _look_at_pool(self) -> None:
        turn = PoolTurn.of(self._mirror, everything=self._request.everything)
        found = walk_pool(self._mirror, turn.parts)
        while chunk := list(islice(found, _ORPHANS_NOTED_AT_ONCE)):
            self._keep_lease()
            for finding in chunk:
                self._tally.add(finding)
            if self._run is not None:
                self._remove_leftovers([f for f in chunk if f.kind is Kind.LEFTOVER])
                self._note_orphans([f.path.removeprefix("web/") for f in chunk if f.kind is Kind.ORPHAN])
        self._tally.directories += turn.count
        if self._run is not None:
            turn.note(self._mirror)
            if self._mirror.settings.delete_packages:
                self._tally.swept += sweep_orphans(self._mirror)

    def _remove_leftovers(self, leftovers: Sequence[Finding]) -> None:
        for finding in leftovers:
            self._tally.repaired += remove_file(self._mirror.settings.directory / finding.path)

    def _note_orphans(self, paths: Sequence[str]) -> None:
        if self._run is not None and paths:
            self._mirror.ledger.audits.note_orphans(self._run.id, paths)
        self._tally.waiting += len(paths)

    def _look_at_strays(self) -> None:
        strays = list(islice(stray_pages(self._mirror), _MOST_STRAYS + 1))
        for name in strays:
            detail = "the ledger has no such project"
            path = f"web/{self._mirror.pages.path_of(name).relative_to(self._mirror.settings.web)}"
            self._tally.add(Finding(kind=Kind.STRAY_PAGE, path=path, project=name, detail=detail))
        if self._run is None or not strays:
            return
        # The ledger may have lost the project, and others without leaving a page.
        self._mirror.ledger.facts.put({"selection": None})
        if len(strays) > _MOST_STRAYS:
            log.error("more than %d pages of projects that the ledger does not have", _MOST_STRAYS)
            return
        self._repair_damaged([name for name in strays if self._mirror.selector.why_not(name) is None])
        known = self._mirror.ledger.projects.known(strays)
        for name in strays:
            if name in self._tally.failures:
                continue
            if name not in known or not known[name].present:
                self._mirror.pages.remove_stray(name)
            self._tally.repaired += 1

    def _recheck(self) -> str | None:
        """Ask upstream for the pages that it was asked for longest ago; why that ended early, else None."""
        if self._run is None:
            return None
        mirror, settings = self._mirror, self._mirror.settings.audit
        if self._request.projects:
            known = mirror.ledger.projects.known(self._request.projects)
            planned = [_asked_again(p.project, p.display_name, p.bytes) for p in known.values() if p.present]
        else:
            limit = settings.pages_per_run if self._request.pages is None else self._request.pages
            before = int(mirror.clock() - settings.within_days * _DAY / 2)
            chosen = mirror.ledger.audits.asked_longest_ago(before=before, limit=limit)
            planned = [_asked_again(p.project, p.display_name, p.bytes) for p in chosen]
        for start in range(0, len(planned), _RECHECKED_AT_ONCE):
            recheck(mirror, self._run.id, self._tally, planned[start : start + _RECHECKED_AT_ONCE])
            if self._tally.removed > _MOST_GONE:
                return (
                    f"{self._tally.removed} projects that were asked for again are gone upstream; no more "
                    "were asked for. Look at upstream, then run `pypi-mirror sync --recheck`"
                )
        return None

    def _keep_lease(self) -> None:
        now = time.monotonic()
        if self._run is not None and now - self._renewed > _RENEW_SECONDS:
            self._mirror.ledger.lease.renew(self._run.request.label)
            self._renewed = now


def _asked_again(project: NormalizedName, display_name: str, known_bytes: int) -> PlannedProject:
    return PlannedProject(
        project=project,
        display_name=display_name,
        action=Action.SYNC,
        reason="asked for longest ago",
        known_bytes=known_bytes,
    )


def _coverage(mirror: Mirror, request: AuditRequest) -> AuditCoverage:
    settings = mirror.settings.audit
    window = settings.within_days * _DAY
    found = mirror.ledger.audits.coverage(int(mirror.clock() - window))
    interval = mirror.ledger.audits.interval()
    needed = None if interval is None else int(found.bytes * min(1.0, interval / window))
    budget = settings.bytes_per_run if request.budget is None else request.budget
    return AuditCoverage(
        days=settings.within_days,
        oldest=found.oldest,
        share_of_projects=found.projects_covered / found.projects if found.projects else 1.0,
        share_of_bytes=found.bytes_covered / found.bytes if found.bytes else 1.0,
        needed_bytes=needed,
        suffices=None if needed is None else budget >= needed,
    )
