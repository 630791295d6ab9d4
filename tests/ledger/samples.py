"""Small values for tests of the ledger: projects, files, results, and a clock that a test sets."""

import hashlib
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.ledger.projects import KnownProject
from pypi_mirror.ledger.results import Failed, Results, Synced
from pypi_mirror.ledger.runs import Run, RunRequest
from pypi_mirror.ledger.samples import Sample
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.model import (
    Action,
    MirroredPage,
    PlannedProject,
    PooledFile,
    ProjectStatus,
    RemoteFile,
    Tally,
)

NOON = 1_700_000_000


class Hands:
    """A clock's hands: the time is what ``now`` says."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def name(text: str) -> NormalizedName:
    return NormalizedName(text)


def planned(
    project: str,
    *,
    action: Action = Action.SYNC,
    display_name: str | None = None,
    serial: int | None = None,
    exact: bool = False,
    gone: bool = False,
    verify: bool = False,
    unread: bool = True,
    new_bytes: int = 0,
    **decided: Any,
) -> PlannedProject:
    return PlannedProject(
        project=name(project),
        display_name=display_name or project,
        action=action,
        reason="a test",
        serial=serial,
        exact=exact,
        gone=gone,
        verify=verify,
        unread=unread,
        new_bytes=new_bytes,
        **decided,
    )


def pooled(
    filename: str,
    *,
    content: str = "",
    location: str = "",
    size: int = 10,
    metadata: bool = False,
    provenance: bool = False,
    upload_time: str | None = None,
) -> PooledFile:
    digest = _digest(content or filename).hex()
    return PooledFile(
        remote=RemoteFile(
            filename=filename, url=f"https://files.example/{filename}", upload_time=upload_time
        ),
        path=f"packages/{location or 'x'}/{filename}",
        size=size,
        sha256=digest,
        metadata_sha256=_digest(f"{filename}.metadata").hex() if metadata else None,
        provenance_sha256=_digest(f"{filename}.provenance").hex() if provenance else None,
    )


def synced(
    ledger: Ledger,
    plan: PlannedProject,
    *files: PooledFile,
    status: str = "active",
    serial: int | None = None,
    selection: str = "all",
    location: str = "",
    tally: Tally | None = None,
    **changes: Any,
) -> Synced:
    """A project whose page lists ``files`` from now on; what was known is read from the ledger."""
    known = ledger.projects.known([plan.project]).get(plan.project)
    return Synced(
        planned=plan,
        known=known,
        known_files={} if known is None else ledger.projects.files_of([known.id])[known.id],
        page=MirroredPage(
            name=plan.project,
            serial=serial,
            status=ProjectStatus(status=status),
            versions=(),
            files=tuple(files),
        ),
        locations=tuple(_digest(location + f.remote.filename) for f in files),
        serial=serial,
        selection=selection,
        tally=tally or Tally(projects_done=1),
        **changes,
    )


def unchanged(ledger: Ledger, plan: PlannedProject, *, serial: int | None = None) -> Synced:
    """A project of which upstream said that its page is as it was."""
    return Synced(
        planned=plan,
        known=ledger.projects.known([plan.project])[plan.project],
        serial=serial,
        tally=Tally(projects_done=1),
    )


def missing(ledger: Ledger, plan: PlannedProject) -> Synced:
    """A project of which upstream gave no page, against its last word."""
    return replace(removed(ledger, plan), missing=True)


def removed(ledger: Ledger, plan: PlannedProject) -> Synced:
    """A project that upstream, or a filter, has taken out."""
    known = ledger.projects.known([plan.project]).get(plan.project)
    empty = MirroredPage(name=plan.project, serial=None, status=ProjectStatus(), versions=(), files=())
    present = known is not None and known.present
    return Synced(
        planned=plan,
        known=known,
        removed=True,
        page=empty if present else None,
        tally=Tally(projects_done=1, projects_removed=1 if present else 0),
    )


def failed(plan: PlannedProject, reason: str = "it broke") -> Failed:
    return Failed(planned=plan, error="UpstreamError", reason=reason)


def begin(
    ledger: Ledger, label: str = "a run", plan: Iterable[PlannedProject] = (), clock: Hands | None = None
) -> tuple[Run, Results]:
    """A run that holds the lease, with ``plan`` in one batch, and what records its results."""
    ledger.lease.take(label)
    run = ledger.runs.begin(RunRequest(label=label))
    ledger.plan.write(run.id, plan)
    return run, Results(ledger.engine, clock or Hands(), run.id)


def known(ledger: Ledger, project: str) -> KnownProject:
    return ledger.projects.known([name(project)])[name(project)]


def sample(at: int, **changes: Any) -> Sample:
    """A sample of a mirror of two files."""
    figures: dict[str, Any] = {
        "projects": 1, "files": 2, "bytes": 30, "disk_used": 1_000, "disk_free": 9_000, "lag_seconds": 0,
        "backlog": 0,
    }  # fmt: skip
    return Sample(at=at, **{**figures, **changes})


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
