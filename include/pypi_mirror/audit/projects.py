"""One project, all of it: its page, its rows, its files on the disk."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from pypi_mirror.audit.files import FileCheck, look_at_file
from pypi_mirror.audit.findings import Finding, Kind
from pypi_mirror.audit.pages import PageAudit, PageCheck
from pypi_mirror.audit.reading import require_theirs
from pypi_mirror.disk.files import closed_mode
from pypi_mirror.ledger.audits import AuditedFile, AuditedProject
from pypi_mirror.ledger.projects import KnownProject


@dataclass(slots=True, kw_only=True)
class ProjectCheck:
    """What a look at a project found.

    ``wrong_files`` are the listed files, by name, that are not on the disk as they should be, each with its
    path and the SHA-256 of what lies there instead (None: nothing that can be read). ``wrong_rows`` are names
    of files whose rows go; ``dead_tombstones`` of tombstones that nothing can be restored from. ``damaged``,
    ``closed`` and ``orphans`` are paths relative to ``web/``; what is ``closed`` the web server may not read.
    ``verified`` are the files that were hashed and right. ``complete`` is false where the budget ended before
    the last file.
    """

    known: KnownProject
    findings: list[Finding] = field(default_factory=list)
    page: PageCheck | None = None
    wrong_files: dict[str, tuple[str, bytes | None]] = field(default_factory=dict)
    wrong_rows: set[str] = field(default_factory=set)
    dead_tombstones: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    verified: list[str] = field(default_factory=list)
    needs_upstream: bool = False
    files: int = 0
    bytes_read: int = 0
    complete: bool = True

    @property
    def reason(self) -> str:
        """Why the project has to be made again, for people."""
        faults = [str(f) for f in self.findings if f.kind is not Kind.TOMBSTONE]
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        return f"the audit found damage: {faults[0] if faults else 'a wrong row'}{more}"


def check_project(
    web: str,
    audited: AuditedProject,
    pages: PageAudit,
    *,
    has_files: bool,
    hashed_since: int | None,
    goes_on: Callable[[int], bool],
) -> ProjectCheck:
    """Look at page and files of one project.

    ``has_files`` is false where the mirror holds none (``release-files = false``). What was verified since
    ``hashed_since`` is not hashed again: a former audit ended in the middle of this project. ``goes_on`` is
    told the bytes that were read so far, before each file but the first.
    """
    known = audited.project
    check = ProjectCheck(known=known)
    if known.present:
        try:
            check.page = pages.check(audited)
        except OSError as error:
            require_theirs(error)
            where = error.filename or f"{web}/simple"
            check.findings.append(
                Finding(
                    kind=Kind.UNREADABLE,
                    path=f"web/{str(where).removeprefix(f'{web}/')}",
                    project=known.project,
                    detail=error.strerror or str(error),
                )
            )
            check.needs_upstream = True
    if check.page is not None:
        check.findings += check.page.findings
        check.wrong_rows |= check.page.wrong_rows
        check.damaged += check.page.damaged
        check.orphans += check.page.orphans
        check.needs_upstream |= check.page.needs_upstream
    if has_files:
        _look_at_files(check, web, audited, hashed_since, goes_on)
    _look_at_modes(check, web, audited, pages, has_files=has_files)
    return check


def _look_at_modes(
    check: ProjectCheck, web: str, audited: AuditedProject, pages: PageAudit, *, has_files: bool
) -> None:
    """What is there and right, and is answered with 403 all the same."""
    paths = pages.served(audited.project.project) if audited.project.present else []
    rows = [row.file for row in audited.files if row.file.removed_at is None] if has_files else []
    for file in rows:
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
            check.findings.append(
                Finding(
                    kind=Kind.CLOSED,
                    path=f"web/{shown}",
                    project=audited.project.project,
                    detail=f"its mode is {mode:04o}",
                )
            )


def _look_at_files(
    check: ProjectCheck,
    web: str,
    audited: AuditedProject,
    hashed_since: int | None,
    goes_on: Callable[[int], bool],
) -> None:
    listed = {} if check.page is None else check.page.listed
    for row in sorted(audited.files, key=lambda row: _inode(web, row)):
        if check.files and not goes_on(check.bytes_read):
            check.complete = False
            return
        file = row.file
        hashing = hashed_since is None or row.verified_at < hashed_since
        seen = look_at_file(
            web, file, audited.project.project, on_page=listed.get(file.filename), hashing=hashing
        )
        check.files += 1
        check.bytes_read += seen.bytes_read
        check.findings += seen.findings
        check.damaged += seen.damaged
        if not seen.findings and hashing:
            check.verified.append(file.filename)
        _judge(check, row, seen)


def _judge(check: ProjectCheck, row: AuditedFile, seen: FileCheck) -> None:
    name = row.file.filename
    if row.file.removed_at is not None:
        if seen.findings:
            check.dead_tombstones.append(name)
        return
    if seen.is_wrong:
        check.wrong_files[name] = (row.file.path, seen.digest)
    if seen.row_is_wrong:
        check.wrong_rows.add(name)
    check.needs_upstream |= bool(seen.findings)


def _inode(web: str, row: AuditedFile) -> int:
    """For the order of reading: file systems keep what was written together near each other, by inode."""
    try:
        return os.stat(f"{web}/{row.file.path}", follow_symlinks=False).st_ino  # noqa: PTH116
    except OSError:
        return 0
