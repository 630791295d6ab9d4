"""Repairing what an audit found: from what is left on the disk where that can be, else from upstream.

A damaged project is synced again by the code that syncs any project. The order: what is damaged is removed,
since nothing takes a file that is there for a wrong one; the project goes on the backlog, in the transaction
that drops what the ledger says wrongly of it; then it is synced. Whatever ends this half-way, the next sync
takes it up. What cannot be downloaded from upstream now is taken off the page.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from packaging.utils import NormalizedName

from pypi_mirror.audit.findings import ProjectCheck, Tallying
from pypi_mirror.audit.pages import IN_BOTH_LAYOUTS, mirrored_page
from pypi_mirror.disk.files import make_path_readable, remove_file, size_of
from pypi_mirror.disk.writing import flush_filesystem
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.locations import Claimant, Locations
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Action, Failure, PlannedProject
from pypi_mirror.pages.page_store import StagedPage, page_digest
from pypi_mirror.planning.plan import asked_for
from pypi_mirror.pool.layout import owner_of

log = logging.getLogger(__name__)

_BESIDE = (".metadata", ".provenance")


class SyncNow(Protocol):
    """Reads, decides and syncs projects within the audit's run; returns what failed, which is on the backlog.

    What the run has synced before is synced once more with ``replace`` alone.
    """

    def __call__(
        self, planned: Sequence[PlannedProject], /, *, replace: bool = False
    ) -> Sequence[Failure]: ...


class Repair:
    """Repairs projects within run ``run_id``, which holds the lease."""

    def __init__(self, mirror: Mirror, run_id: int, tally: Tallying, sync_now: SyncNow) -> None:
        self._mirror = mirror
        self._run_id = run_id
        self._tally = tally
        self._sync_now = sync_now

    def projects(self, checks: Sequence[ProjectCheck], lost: Iterable[NormalizedName] = ()) -> None:
        """Repair what ``looks`` found; ``lost`` are names of projects that only pages know of.

        Raises the MirrorError that kept upstream from being asked at all, with pages in order.
        """
        mirror = self._mirror
        losing = resolve_clashes(mirror.ledger.locations, checks)
        closed = {id(check): self._open_to_readers(check) for check in checks}
        unremovable = {id(check) for check in checks if not self._remove_damaged(check)}
        mirror.ledger.audits.mark_for_repair(
            self._run_id,
            [
                (
                    check.known,
                    sorted(check.wrong_rows),
                    check.dead_tombstones,
                    check.reason if check.needs_upstream else "",
                )
                for check in checks
            ],
        )
        self._write_again(checks)
        damaged = {check.known.project: check for check in checks if check.needs_upstream}
        planned = [
            asked_for(check.known, check.reason) for name, check in damaged.items() if name not in losing
        ]
        planned += [_lost(name) for name in lost]
        moving = [asked_for(check.known, check.reason) for name, check in damaged.items() if name in losing]
        failed: set[NormalizedName] = set(damaged)
        unpublished = failed
        try:
            # Those first whose place in the pool is another's: their bytes may still lie there.
            failed = self._sync(moving) | self._sync(planned)
            unpublished = {name for name in failed if not self._tally.failures[name].files}
            self._note_withheld([check for name, check in damaged.items() if name in failed - unpublished])
        finally:
            # Upstream may be gone altogether; then, too, no page lists what is not there.
            self._withhold([check for name, check in damaged.items() if name in unpublished])
        for check in checks:
            if check.known.project not in failed and id(check) not in unremovable:
                self._tally.repaired += len(check.findings) - len(check.orphans) - closed[id(check)]

    def _open_to_readers(self, check: ProjectCheck) -> int:
        """How many paths stay that the web server may not read."""
        left = 0
        for path in check.closed:
            if not make_path_readable(self._mirror.settings.web / path):
                log.error(
                    "%s: the web server may not read %s, and this user may not change its mode: "
                    "give it to the mirror's user (chown) or run chmod a+rX on it",
                    check.known.project,
                    path,
                )
                left += 1
        return left

    def _remove_damaged(self, check: ProjectCheck) -> bool:
        """Whether all that is damaged could be removed."""
        web, name = self._mirror.settings.web, check.known.project
        removed = True
        for path in check.damaged:
            try:
                remove_file(f"{web}/{path}")
            except OSError as error:
                log.error("%s: %s cannot be removed: %s", name, path, error)
                removed = False
        if any(finding.detail == IN_BOTH_LAYOUTS for finding in check.findings):
            self._mirror.pages.remove_other_layout(name)
        return removed

    def _write_again(self, checks: Sequence[ProjectCheck]) -> None:
        """Write the pages from what is left of them, where all of it is left; their twins come with them."""
        staged: list[tuple[ProjectCheck, StagedPage]] = []
        for check in checks:
            if check.again is not None:
                try:
                    staged.append((check, self._mirror.pages.stage(check.known.project, check.again)))
                except OSError as error:
                    _cannot_be_written(check, error)
        if staged:
            flush_filesystem(self._mirror.settings.web)
        for check, page in staged:
            try:
                page.publish()
            except OSError as error:
                page.discard()
                _cannot_be_written(check, error)

    def _sync(self, planned: Sequence[PlannedProject]) -> set[NormalizedName]:
        """Sync the projects; the names of those that failed."""
        if not planned:
            return set()
        failures = self._sync_now(planned)
        for failure in failures:
            self._tally.failures[failure.project] = failure
        return {failure.project for failure in failures}

    def _note_withheld(self, checks: Sequence[ProjectCheck]) -> None:
        """Tell which damaged files are off the pages, of projects whose new pages were published without."""
        rows = self._mirror.ledger.projects.files_of([check.known.id for check in checks])
        for check in checks:
            listed = {name for name, row in rows[check.known.id].items() if row.removed_at is None}
            for filename in sorted((check.wrong_files.keys() | check.wrong_rows) - listed):
                self._tally.withheld.append(filename)

    def _withhold(self, checks: Sequence[ProjectCheck]) -> None:
        """Take off the pages what is damaged and could not be downloaded."""
        mirror = self._mirror
        web = mirror.settings.web
        ids = [check.known.id for check in checks]
        rows = mirror.ledger.projects.files_of(ids)
        for check in checks:
            listed = {name: row for name, row in rows[check.known.id].items() if row.removed_at is None}
            wrong = {
                name
                for name in check.wrong_files.keys() | check.wrong_rows
                if name not in listed or size_of(web / listed[name].path) != listed[name].size
            }
            if wrong:
                self._withhold_files(check, listed, wrong)

    def _withhold_files(self, check: ProjectCheck, rows: dict[str, KnownFile], wrong: set[str]) -> None:
        mirror, name = self._mirror, check.known.project
        mirrored = None if check.page is None else mirrored_page(check.page, rows, without=wrong)
        if mirrored is None:
            log.error("%s: its page cannot be made again without upstream; it stays as it is", name)
            return
        rendered = mirror.pages.render(mirrored)
        staged = mirror.pages.stage(name, rendered)
        flush_filesystem(mirror.settings.web)
        staged.publish()
        mirror.pages.remove_legacy_json(name)
        flush_filesystem(mirror.settings.web)
        mirror.ledger.audits.withhold(
            self._run_id, check.known.id, sorted(wrong), page_digest=page_digest(rendered.values())
        )
        mirror.ledger.facts.put(Facts.changed_pages.to(self._run_id))
        for filename in sorted(wrong):
            log.error(
                "%s: %s is damaged and cannot be downloaded now; its page no longer lists it", name, filename
            )
            self._tally.withheld.append(filename)


def _cannot_be_written(check: ProjectCheck, error: OSError) -> None:
    log.error("%s: its page cannot be written: %s", check.known.project, error)
    check.needs_upstream = True


def recheck(mirror: Mirror, tally: Tallying, planned: Sequence[PlannedProject], sync_now: SyncNow) -> None:
    """Ask upstream for the pages of ``planned``, conditionally; what has changed is synced."""
    known = mirror.ledger.projects.known([p.project for p in planned])
    failures = sync_now(planned)
    after = mirror.ledger.projects.known([p.project for p in planned])
    for failure in failures:
        tally.failures[failure.project] = failure
    tally.rechecked += len(planned)
    for name, project in known.items():
        now = after.get(name)
        if now is None or not now.present:
            tally.removed += 1
        elif now.made_entry != project.made_entry or now.serial != project.serial:
            tally.changed += 1


def _lost(name: NormalizedName) -> PlannedProject:
    return PlannedProject(
        project=name,
        display_name=name,
        action=Action.SYNC,
        reason="the audit found its page; the ledger has no such project",
    )


def clashing(locations: Locations, paths: Sequence[str]) -> dict[str, list[Claimant]]:
    """Those of ``paths`` at which pages list different bytes, with the projects of the pages."""
    claimants = locations.claimants(paths) if paths else {}
    return {path: each for path, each in claimants.items() if len({one.sha256 for one in each}) > 1}


def resolve_clashes(locations: Locations, checks: Sequence[ProjectCheck]) -> set[NormalizedName]:
    """Have all but one of the projects that list a damaged path lose their row of it; returns those that do.

    The path stays with the project that the file's name belongs to, else with the one whose bytes lie there,
    else with the one that the ledger has had longest. The others are synced first, and get paths of their
    own: if their bytes lie there, they take them along.
    """
    wrong = {path: digest for check in checks for path, digest in check.wrong_files.values()}
    found = clashing(locations, sorted(wrong))
    owners = {path: _owner(path, each, wrong[path]) for path, each in found.items()}
    losing: set[NormalizedName] = set()
    for check in checks:
        for path, claimants in found.items():
            filename = path.rpartition("/")[2]
            if any(one.sha256 == wrong[path] for one in claimants):
                # Somebody's bytes; the owner's own come over them.
                theirs = {path, *(f"{path}{suffix}" for suffix in _BESIDE)}
                check.damaged = [each for each in check.damaged if each not in theirs]
            others = {one.project_id for one in claimants} - {owners[path].project_id}
            if check.known.id in others:
                owner = owners[path].project
                log.warning("%s: %s is at a path that %s claims", check.known.project, filename, owner)
                losing.add(check.known.project)
                check.wrong_rows.add(filename)
                check.needs_upstream = True
    return losing


def _owner(path: str, claimants: Sequence[Claimant], digest: bytes | None) -> Claimant:
    named = [one for one in claimants if one.project == owner_of(path.rpartition("/")[2])]
    there = [one for one in claimants if one.sha256 == digest]
    return (*named, *there, *claimants)[0]
