"""What the last audits found, kept for those who look later."""

from collections.abc import Mapping
from typing import Final

import msgspec

from pypi_mirror.audit.report import AuditReport
from pypi_mirror.mirror import Mirror

_FACT: Final = "audit_findings"
_KEPT: Final = 10


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Of the run ``run_id``: faults by kind, and how many of them were repaired, or not."""

    run_id: int
    found: dict[str, int]
    repaired: int
    unrepaired: int


def note_findings(mirror: Mirror, run_id: int, report: AuditReport) -> None:
    """Keep what an audit found; of earlier ones the last few stay."""
    noted = Findings(
        run_id=run_id,
        found={str(kind): number for kind, number in sorted(report.found.items())},
        repaired=report.repaired,
        unrepaired=report.unrepaired,
    )
    others = [each for each in _noted(mirror) if each.run_id != run_id]
    kept = [noted, *others][:_KEPT]
    mirror.ledger.facts.put({_FACT: msgspec.json.encode(kept).decode()})


def findings(mirror: Mirror) -> Mapping[int, Findings]:
    """By run."""
    return {each.run_id: each for each in _noted(mirror)}


def _noted(mirror: Mirror) -> list[Findings]:
    noted = mirror.ledger.facts.get(_FACT)
    return [] if noted is None else msgspec.json.decode(noted, type=list[Findings])
