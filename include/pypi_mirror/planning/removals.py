"""Between the plan and its batches: a plan that removes too much waits for a person.

What counts is what readers lose: projects that upstream has removed or lists no longer, projects and files
that the filters leave out by now, and pages of which the ledger knows nothing. A plan is approved by its id,
a digest of all that it removes: when upstream or the filters change that, it is another plan.
"""

import hashlib
import logging
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pypi_mirror.errors import ApprovalRequired, LedgerError, MirrorBusy
from pypi_mirror.facts.facts import Facts
from pypi_mirror.facts.values import Removals, SilentLoss
from pypi_mirror.ledger.losses import Losses
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import PlannedProject, RunKind, RunState
from pypi_mirror.planning.guard import WEEK, weigh_announced
from pypi_mirror.policy.filters.dependencies_follow import APPROVE_BEYOND, Dependencies
from pypi_mirror.wording import moment_of, size

log = logging.getLogger(__name__)

# Seconds that a run may take to its plan, at most, before it waits for approval of it.
_TO_THE_PLAN: Final = 6 * 3600

# Seconds for which one is shown, and the most that are.
_SHOWN_FOR: Final = 7 * 24 * 3600
_MOST: Final = 100


def weigh_removals(
    mirror: Mirror, run_id: int, *, pages: int = 0, besides_approved: bool = False
) -> Removals:
    """Add up what the plan in the ledger removes and note the verdict there.

    ``pages`` are the project pages found on the disk, where somebody looked: a lost ledger knows of none.
    With ``besides_approved`` what a person has allowed in an earlier run that left it does not count again. A
    plan made again in the same run, which takes the same off the pages, keeps its approval.
    """
    removals = _weighed(mirror, run_id, pages=pages, besides_approved=besides_approved)
    before = _noted_of(mirror, run_id)
    if before is not None and before.approved and before.plan == removals.plan:
        removals = replace(
            removals, approved=True, approved_by=before.approved_by, approved_at=before.approved_at
        )
    note_removals(mirror, removals)
    return removals


def _weighed(mirror: Mirror, run_id: int, *, pages: int = 0, besides_approved: bool = False) -> Removals:
    kind = mirror.ledger.runs.get(run_id).request.kind
    losing = mirror.ledger.plan.losing(run_id, besides_approved=besides_approved)
    added = _added(mirror, run_id, besides_approved=besides_approved)
    removals = _added_up(run_id, kind, losing, added=mirror.selection if added else "")
    if added:
        new, bytes_ = added.projects, added.bytes
        removals = replace(removals, exceeded=added.exceeded, added_projects=new, added_bytes=bytes_)
    if not removals.touched:
        return removals
    held = mirror.ledger.projects.totals()
    over = weigh_announced(
        removals,
        mirror.settings.guard,
        held=replace(held, projects=max(held.projects, pages)),
        lately=None if kind is RunKind.SELECTED else removed_lately(mirror, run_id),
        is_another=kind is RunKind.SYNC and mirror.ledger.facts.another_upstream is not None,
        is_adopted=mirror.ledger.facts.stated_serial is None and pages > held.projects,
    )
    return replace(removals, exceeded=(*over, *removals.exceeded))


class _Added(Struct, frozen=True, kw_only=True):
    """What a plan adds since others require it, and which limits of ``[dependencies]`` that exceeds."""

    projects: int
    bytes: int
    exceeded: tuple[str, ...]


def _added(mirror: Mirror, run_id: int, *, besides_approved: bool) -> _Added | None:
    """None where that needs no approval."""
    rules = mirror.policy.of(Dependencies)
    most, largest = rules.approve_beyond_projects, rules.approve_beyond_gigabytes
    if not mirror.policy.follows or (most is None and largest is None):
        return None
    projects, bytes_ = mirror.ledger.plan.added_for_others(run_id, besides_approved=besides_approved)
    over = []
    if most is not None and projects > most:
        over.append(f"{projects:,} new required projects, {most:,} allowed ({APPROVE_BEYOND}-projects)")
    if largest is not None and bytes_ > largest * 1e9:
        allowed = f"{size(round(largest * 1e9))} allowed ({APPROVE_BEYOND}-gigabytes)"
        over.append(f"{size(bytes_)} of required files, {allowed}")
    return _Added(projects=projects, bytes=bytes_, exceeded=tuple(over)) if over else None


def removed_lately(mirror: Mirror, run_id: int) -> int:
    """How many projects runs before ``run_id`` have removed within seven days, unasked."""
    since = int(mirror.clock()) - WEEK
    return mirror.ledger.runs.projects_removed(since, before=run_id)


def is_approved(mirror: Mirror, run_id: int) -> bool:
    """Whether a person allowed what the run removes."""
    removals = _noted_of(mirror, run_id)
    return removals is not None and removals.approved


def require_approval(mirror: Mirror, run_id: int) -> None:
    """Raises ApprovalRequired unless the plan needs no approval or the ledger has it.

    Marking the task that asks for it as a success does not approve it.
    """
    removals = _noted_of(mirror, run_id)
    if removals is None:
        removals = _weighed(mirror, run_id)
    if removals.exceeded and not removals.approved:
        raise approval_required(removals)


def approval_required(removals: Removals, other: str = "") -> ApprovalRequired:
    is_limit = any("[removal]" in each or APPROVE_BEYOND in each for each in removals.exceeded)
    return ApprovalRequired(
        f"{other}the plan {removals.plan} would {removals.would()}: "
        f"{'; '.join(removals.exceeded)}. Nothing was done. `pypi-mirror plan` lists it; "
        f"if it is right, run `pypi-mirror sync --approve {removals.plan}`"
        f"{', or raise the limit' if is_limit else ''}",
        plan=removals.plan,
    )


def removals_of(mirror: Mirror, run_id: int) -> Removals:
    """What ``weigh_removals`` found; raises LedgerError when another run has made a plan since."""
    removals = next(reversed(_noted(mirror)), None)
    if removals is None or removals.run_id != run_id:
        raise LedgerError(f"run {run_id} has no plan to look at; start it again from its first step")
    return removals


def waiting_for_approval(mirror: Mirror) -> Removals | None:
    """What a plan that is awaiting approval removes: the last sync's, or that of a backfill under way."""
    for removals in reversed(_noted(mirror)):
        if removals.exceeded and not removals.approved:
            return removals
        if removals.kind is RunKind.SYNC:
            break
    return None


def settle_removals(mirror: Mirror, run: Run, *, dry: bool = False) -> None:
    """The run has ended: the verdict on a sync's plan stays until the next one's, any other goes."""
    noted = _noted(mirror)
    lasting = run.request.kind is RunKind.SYNC and not dry
    if any(each.run_id == run.id for each in noted):
        _put(mirror, [each for each in noted if (each.run_id == run.id) == lasting])


def waits_for_approval(mirror: Mirror) -> MirrorBusy | None:
    """MirrorBusy for the run that is awaiting approval of its plan, None without one.

    It has released its lease, which it could not renew for hours. After ``approval-hours`` it counts as dead.
    """
    removals = waiting_for_approval(mirror)
    run = next(iter(mirror.ledger.runs.latest()), None)
    if removals is None or run is None or run.id != removals.run_id:
        return None
    if run.state is not RunState.RUNNING or run.request.kind is RunKind.AUDIT:
        return None
    ends = run.started_at + _TO_THE_PLAN + mirror.settings.guard.approval_hours * 3600
    if mirror.clock() >= ends:
        return None
    return MirrorBusy(
        owner=run.request.label,
        plan=removals.plan,
        since=moment_of(run.started_at),
        expires=moment_of(ends),
    )


def require_none_waits(mirror: Mirror) -> None:
    """Raises MirrorBusy while a run is awaiting approval: another run with the lease makes its plan void.

    For runs that can wait for it.
    """
    if (waiting := waits_for_approval(mirror)) is not None:
        raise waiting


def _added_up(run_id: int, kind: RunKind, losing: Iterable[PlannedProject], *, added: str) -> Removals:
    """``added`` names the rules under which the plan adds too much, empty where it does not."""
    digest = hashlib.sha256(added.encode())
    projects = files = bytes_ = touched = 0
    for planned in losing:
        touched += 1
        projects += planned.loses_project
        files += planned.loses_files
        bytes_ += planned.loses_bytes
        line = (planned.project, planned.loses_project, planned.loses_files, planned.loses_bytes)
        digest.update(msgspec.json.encode(line))
    return Removals(
        run_id=run_id,
        kind=kind,
        plan=digest.hexdigest()[:12] if touched or added else "",
        projects=projects,
        files=files,
        bytes=bytes_,
        touched=touched,
    )


def note_removals(mirror: Mirror, removals: Removals) -> None:
    """Beside the last sync's: what that one waits for, a dry run does not do, nor one for named projects."""
    others = [each for each in _noted(mirror) if each.run_id != removals.run_id]
    syncs = [each for each in others if each.kind is RunKind.SYNC]
    _put(mirror, [*syncs[-1:], removals])


def _put(mirror: Mirror, noted: list[Removals]) -> None:
    mirror.ledger.facts.put(Facts.removals.to(tuple(noted) or None))


def _noted_of(mirror: Mirror, run_id: int) -> Removals | None:
    return next((each for each in _noted(mirror) if each.run_id == run_id), None)


def _noted(mirror: Mirror) -> list[Removals]:
    """The verdicts that stand, the newest last."""
    noted = mirror.ledger.facts.removals or ()
    return [noted] if isinstance(noted, Removals) else list(noted)


def note_silent_losses(mirror: Mirror, run_id: int) -> tuple[SilentLoss, ...]:
    """Remember those of a run that has ended, and return them."""
    now = int(mirror.clock())
    found = tuple(
        SilentLoss(
            run_id=run_id, at=now, project=project, is_gone=loss.project, files=loss.files, bytes=loss.bytes
        )
        for project, loss in Losses(mirror.ledger.engine, run_id).followed(limit=_MOST)
    )
    # A run can be reported twice.
    kept = [each for each in silent_losses(mirror) if each.run_id != run_id]
    mirror.ledger.facts.put(Facts.silent_losses.to((*kept, *found)[-_MOST:] or None))
    return found


def silent_losses(mirror: Mirror) -> tuple[SilentLoss, ...]:
    """Those of the last seven days, oldest first."""
    now = mirror.clock()
    return tuple(each for each in mirror.ledger.facts.silent_losses or () if now - each.at < _SHOWN_FOR)
