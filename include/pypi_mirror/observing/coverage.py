"""How much of the mirror the audits have looked at, and what they found."""

from dataclasses import dataclass
from datetime import datetime

from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAudit:
    """An audit: ``found`` counts faults by kind; None where that was not kept (one that died, or is old)."""

    label: str
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    reason: str | None
    found: dict[str, int] | None
    repaired: int | None
    unrepaired: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Within ``days`` so much had its turn. ``oldest`` is when the project whose turn is longest ago had it,
    None where some had none yet or the mirror is empty; ``never`` says which of the two.

    ``needed_bytes`` is what each audit has to read for all to have a turn in time, ``suffices`` whether
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
    raise NotImplementedError
