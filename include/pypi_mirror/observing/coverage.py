"""How much of the mirror the audits have looked at, and what they found."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from pypi_mirror.clock import utc, utc_or_none
from pypi_mirror.facts.values import AuditFindings
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunState
from pypi_mirror.observing.paging import shown
from pypi_mirror.observing.remembered import newest_run, remembered
from pypi_mirror.run_label import RunName, run_name

_DAY: Final = 24 * 3600
_SHOWN: Final = 10


class PastAudit(Struct, frozen=True, kw_only=True):
    """An audit: ``found`` counts faults by kind; None where that was not kept (one that died, or is old)."""

    name: RunName
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    reason: str | None
    found: dict[str, int] | None
    repaired: int | None
    unrepaired: int | None


class Coverage(Struct, frozen=True, kw_only=True):
    """How much was audited within ``days``. ``oldest`` is when the project that was audited longest ago was,
    None where some never were or the mirror is empty; ``never`` says which of the two.

    ``needed_bytes`` is what each audit has to read to audit all in time, ``suffices`` whether
    [audit] gigabytes-per-run allows it; None before there were two audits. ``audits`` are the last, newest
    first.
    """

    days: float
    oldest: datetime | None
    never: bool
    projects: int
    projects_covered: int
    bytes: int
    bytes_covered: int
    needed_bytes: int | None
    suffices: bool | None
    audits: tuple[PastAudit, ...]


def coverage(mirror: Mirror) -> Coverage:
    """As the ledger has it now."""
    settings = mirror.settings.audit
    window = settings.within_days * _DAY
    since = int(mirror.clock() - window)
    found = remembered(
        mirror.ledger.engine.url,
        "coverage",
        lambda: mirror.ledger.audits.coverage(since),
        newest_run(mirror),
    )
    needed = needed_bytes(found.bytes, mirror.ledger.audits.interval(), window)
    noted = {each.run_id: each for each in mirror.ledger.facts.audit_findings or ()}
    audits = [mirror.ledger.runs.get(run_id) for run_id in mirror.ledger.listings.audits(_SHOWN)]
    return shown(
        Coverage,
        found,
        days=settings.within_days,
        oldest=utc(found.oldest) if found.oldest else None,
        never=found.oldest == 0,
        needed_bytes=needed,
        suffices=None if needed is None else settings.bytes_per_run >= needed,
        audits=tuple(_audit(run, noted.get(run.id)) for run in audits),
    )


def needed_bytes(held: int, interval: float | None, window: float) -> int | None:
    """What each audit has to read for all ``held`` bytes to have a turn within ``window`` seconds, where
    audits are ``interval`` seconds apart; None before that is known.
    """
    return None if interval is None else int(held * min(1.0, interval / window))


def _audit(run: Run, found: AuditFindings | None) -> PastAudit:
    return PastAudit(
        name=run_name(run.request.label),
        state=run.state,
        started_at=utc(run.started_at),
        finished_at=utc_or_none(run.finished_at),
        reason=None if run.outcome is None else run.outcome.reason,
        found=None if found is None else found.found,
        repaired=None if found is None else found.repaired,
        unrepaired=None if found is None else found.unrepaired,
    )
