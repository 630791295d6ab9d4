"""Losses that upstream's pages showed, that nothing announced, and that our pages followed."""

from typing import Final

from pypi_mirror.facts.facts import Facts
from pypi_mirror.facts.values import SilentLoss
from pypi_mirror.ledger.losses import Losses
from pypi_mirror.mirror import Mirror

# Seconds for which one is shown, and the most that are.
_SHOWN_FOR: Final = 7 * 24 * 3600
_MOST: Final = 100


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
