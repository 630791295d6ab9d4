"""The audit's turns: projects in the order of their last one, looked at within a budget, noted and repaired.

Page, rows and files of a project are looked at together: so a file is read once, files of one project lie
near each other on the disk and in the ledger, and where a run ends the next begins.
"""

import os
from collections.abc import Callable, Sequence
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.audit.files import look_at_file, require_theirs
from pypi_mirror.audit.findings import Kind, ProjectCheck, Tallying
from pypi_mirror.audit.pages import PageAudit
from pypi_mirror.audit.repair import Repair, SyncNow
from pypi_mirror.disk.files import closed_mode
from pypi_mirror.errors import MirrorError
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.audits import AuditedProject
from pypi_mirror.ledger.lease import LeaseKeeper
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Failure, PlanState
from pypi_mirror.publishing.site import is_tidy

_DAY: Final = 24 * 3600
# Rows that are looked at between two notes in the ledger, and bytes: what a crash makes the next run repeat.
_FILES_A_CHUNK: Final = 5_000
# Damaged projects that are held in memory before they are repaired.
_REPAIRED_AT_ONCE: Final = 500
# When so many files are gone and they are most of all that were looked at, the pool is not mounted.
_TOO_MANY_GONE: Final = 1_000


class ProjectAudit:
    """Looks at projects and repairs them; ``run`` is None in a dry run, which finds and does not repair.

    ``budget`` bytes are read at most, one file at least; None: all that is asked for. What the run
    ``under_way`` has planned and not done is left alone: it is being written.
    """

    def __init__(
        self,
        mirror: Mirror,
        tally: Tallying,
        run: Run | None,
        sync_now: SyncNow | None,
        *,
        budget: int | None,
        under_way: Run | None = None,
    ) -> None:
        self._mirror = mirror
        self._tally = tally
        self._run = run
        self._repair = None
        self.keep_lease: Callable[[], object] = _hold_nothing
        if run is not None and sync_now is not None:
            self._repair = Repair(mirror, run.id, tally, sync_now)
            self.keep_lease = LeaseKeeper(mirror.ledger.lease, run.request.label)
        self._web = str(mirror.settings.web)
        self._pages = PageAudit(mirror.settings, mirror.pages, one_layout=is_tidy(mirror))
        self._budget = budget
        self._under_way = under_way
        self._damaged: list[ProjectCheck] = []
        self._gone = 0
        # A project that was too large for a run's budget, and since when its files are being read.
        self._resume = None if budget is None else mirror.ledger.facts.audit_resume

    def check(self, *, names: Sequence[NormalizedName] = (), everything: bool = False) -> None:
        """Look at the projects whose turn it is, at all, or at those with these names."""
        audits = self._mirror.ledger.audits
        window = self._mirror.settings.audit.within_days * _DAY
        # What was audited in the first half of the window is left alone: the disk has other things to do.
        before = None if everything or names else int(self._mirror.clock() - window / 2)
        after: tuple[int, int] | None = None
        while chunk := audits.due(before=before, after=after, names=names, most_files=_FILES_A_CHUNK):
            self.keep_lease()
            self._note_backlog([audited.project.project for audited in chunk])
            checks: list[ProjectCheck] = []
            unsettled = self._unsettled(chunk)
            for audited in chunk:
                if audited.project.project in unsettled:
                    continue
                check = self._check(audited)
                checks.append(check)
                if not check.complete or self._is_spent():
                    break
            self._take_in(checks)
            if (checks and not checks[-1].complete) or self._is_spent():
                return
            after = chunk[-1].turn

    def _unsettled(self, chunk: Sequence[AuditedProject]) -> set[NormalizedName]:
        if self._under_way is None:
            return set()
        names = [audited.project.project for audited in chunk]
        planned = self._mirror.ledger.listings.planned(self._under_way.id, names)
        return {name for name, row in planned.items() if row.state != PlanState.DONE.value}

    def _note_backlog(self, names: Sequence[NormalizedName]) -> None:
        """Note which projects are on the backlog, and how much of upstream's pages is refused.

        What is here of them may be whole; it is not all that upstream has. The backlog tries them again, so
        there is nothing to repair.
        """
        ledger = self._mirror.ledger
        for entry in ledger.backlog.of_run(0, names):
            self._tally.behind[entry.project] = Failure(
                project=entry.project, error=entry.error, reason=entry.reason, new=False
            )
        for project, parts in ledger.left_out.of(names).items():
            self._tally.refused[project] = sum(each.error is None for each in parts)

    def check_also(self, names: Sequence[NormalizedName]) -> None:
        """Look at projects that turned out to be wrong, whole, whatever is left of the budget."""
        waiting = {check.known.project for check in self._damaged}
        wanted = [name for name in names if name not in waiting]
        if wanted:
            budget, self._budget = self._budget, None
            self.check(names=wanted)
            self._budget = budget

    def repair(self, lost: Sequence[NormalizedName] = ()) -> None:
        """Repair what was found; ``lost`` are names of projects that only pages know of."""
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
            # They count as audited, whatever was found: those that were not repaired are on the backlog.
            self._mirror.ledger.audits.verified(
                self._run.id,
                hashed=(),
                looked_at=[check.known.id for check in damaged if check.complete],
                digests=(),
                at=int(self._mirror.clock()),
            )

    def note_orphans(self, paths: Sequence[str]) -> None:
        """Nothing accounts for ``paths``, relative to ``web/``: they go after the grace period."""
        if self._run is not None and paths and self.knows_all():
            self._mirror.ledger.locations.note_orphans(self._run.id, paths)
        self._tally.waiting += len(paths)

    def knows_all(self) -> bool:
        """Whether the ledger has all of the mirror, as far as runs can tell, which have nothing left to do.

        In a tree that is being taken over, or whose ledger was lost, most files are in no row although pages
        list them.
        """
        ledger = self._mirror.ledger
        return ledger.facts.selection is not None and ledger.to_do.is_empty()

    def _check(self, audited: AuditedProject) -> ProjectCheck:
        check = self._look_at(audited)
        if self._run is None and check.findings:
            # A sync may have been at work on it between our look at the ledger and that at the disk.
            again = self._mirror.ledger.audits.due(
                before=None, after=None, names=[audited.project.project], most_files=1
            )
            if self._unsettled([audited]) or not again:
                return ProjectCheck(known=audited.project)
            check = self._look_at(again[0])
        self._tally.projects += 1
        self._tally.files += check.files
        self._tally.bytes += check.bytes_read
        for finding in check.findings:
            self._tally.add(finding)
        return check

    def _look_at(self, audited: AuditedProject) -> ProjectCheck:
        """Look at page and files of one project."""
        check = ProjectCheck(known=audited.project)
        if audited.project.present:
            try:
                self._pages.check(audited, check)
            except OSError as error:
                require_theirs(error)
                check = ProjectCheck(known=audited.project, needs_upstream=True)
                where = str(error.filename or f"{self._web}/simple").removeprefix(f"{self._web}/")
                check.add(Kind.UNREADABLE, f"web/{where}", error.strerror or str(error))
        if self._mirror.settings.release_files:
            self._look_at_files(check, audited)
        self._look_at_modes(check, audited)
        return check

    def _look_at_files(self, check: ProjectCheck, audited: AuditedProject) -> None:
        # A former audit ended in the middle of this project: what it verified is not hashed again.
        started = self._resume[1] if self._resume and self._resume[0] == audited.project.id else None
        for row in sorted(audited.files, key=lambda row: _inode(self._web, row.file)):
            self.keep_lease()
            if check.files and self._is_spent(check.bytes_read):
                check.complete = False
                return
            look_at_file(check, self._web, row.file, hashing=started is None or row.verified_at < started)
            check.files += 1

    def _look_at_modes(self, check: ProjectCheck, audited: AuditedProject) -> None:
        """What is there and right, and is answered with 403 all the same."""
        web, has_files = self._web, self._mirror.settings.release_files
        paths = self._pages.served(audited.project.project) if audited.project.present else []
        for file in [row.file for row in audited.files if has_files and row.file.removed_at is None]:
            paths += [f"{web}/{file.path}"]
            paths += [f"{web}/{file.path}.metadata"] if file.metadata_sha256 is not None else []
            paths += [f"{web}/{file.path}.provenance"] if file.provenance else []
            # packages/aa/bb/<60 hex>; the directories above it are seen at each of their files.
            paths += [f"{web}/{file.path.rsplit('/', level)[0]}" for level in (1, 2, 3)]
        for path in dict.fromkeys(paths):
            mode = closed_mode(path)
            if mode is not None:
                shown = path.removeprefix(f"{web}/")
                check.closed.append(shown)
                check.add(Kind.CLOSED, f"web/{shown}", f"its mode is {mode:04o}")

    def _is_spent(self, more: int = 0) -> bool:
        """Whether the budget is read, with ``more`` bytes that are not counted yet."""
        return self._budget is not None and self._tally.bytes + more >= self._budget

    def _take_in(self, checks: Sequence[ProjectCheck]) -> None:
        """Note what is right; keep what is not, and repair it when that is much."""
        if self._run is None:
            return
        damaged = [check for check in checks if check.findings]
        now = int(self._mirror.clock())
        done = [check.known.id for check in checks if check.complete and not check.findings]
        self._mirror.ledger.audits.verified(
            self._run.id,
            hashed=[(check.known.id, name) for check in checks for name in check.verified],
            looked_at=done,
            digests=[(check.known.id, check.digest) for check in checks if check.digest is not None],
            at=now,
        )
        self._note_resume(checks[-1], now)
        self.note_orphans([path for check in checks for path in check.orphans])
        self._damaged += damaged
        self._gone += sum(1 for check in damaged for f in check.findings if f.kind is Kind.MISSING)
        if len(self._damaged) >= _REPAIRED_AT_ONCE:
            self.repair()

    def _note_resume(self, last: ProjectCheck, now: int) -> None:
        if not last.complete and (self._resume is None or self._resume[0] != last.known.id):
            self._resume = (last.known.id, now)
            self._mirror.ledger.facts.put(Facts.audit_resume.to(self._resume))
        elif last.complete and self._resume is not None:
            self._resume = None
            self._mirror.ledger.facts.put(Facts.audit_resume.to(None))


def _hold_nothing() -> None:
    """A dry run goes on beside whatever run has the lease."""


def _inode(web: str, file: KnownFile) -> int:
    """For the order of reading: file systems keep what was written together near each other, by inode."""
    try:
        return os.stat(f"{web}/{file.path}", follow_symlinks=False).st_ino  # noqa: PTH116
    except OSError:
        return 0
