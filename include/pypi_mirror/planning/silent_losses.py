"""Losses that upstream's pages showed, that nothing announced, and that our pages followed."""

from dataclasses import dataclass
from typing import Final

import msgspec
from packaging.utils import NormalizedName

from pypi_mirror.ledger.losses import Losses
from pypi_mirror.mirror import Mirror
from pypi_mirror.wording import count, size

_FACT: Final = "silent_losses"
# Seconds for which one is shown, and the most that are.
_SHOWN_FOR: Final = 7 * 24 * 3600
_MOST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentLoss:
    """What our page of a project lost since upstream's has it no more, without any event that says so.

    ``is_gone`` says that upstream has no page of it, or one without files. ``at`` is when the run ``run_id``
    found it, in seconds since 1970.
    """

    run_id: int
    at: int
    project: NormalizedName
    is_gone: bool
    files: int
    bytes: int

    def __str__(self) -> str:
        lost = f"{count(self.files, 'file')} ({size(self.bytes)})"
        what = (
            f"upstream has no file of it any more, it had {lost}"
            if self.is_gone
            else f"upstream's page no longer lists {lost}"
        )
        return f"{self.project}: {what}; no event said so, our page follows"


def note_silent_losses(mirror: Mirror, run_id: int) -> tuple[SilentLoss, ...]:
    """Remember those of a run that has ended, and return them."""
    now = int(mirror.clock())
    found = tuple(
        SilentLoss(
            run_id=run_id, at=now, project=project, is_gone=loss.project, files=loss.files, bytes=loss.bytes
        )
        for project, loss in Losses(mirror.ledger.engine, run_id).followed(limit=_MOST)
    )
    before = _remembered(mirror)
    # A run can be reported twice.
    kept = [each for each in before if each.run_id != run_id and now - each.at < _SHOWN_FOR]
    left = [*kept, *found][-_MOST:]
    if left != before:
        mirror.ledger.facts.put({_FACT: msgspec.json.encode(left).decode() if left else None})
    return found


def silent_losses(mirror: Mirror) -> tuple[SilentLoss, ...]:
    """Those of the last seven days, oldest first."""
    now = mirror.clock()
    return tuple(each for each in _remembered(mirror) if now - each.at < _SHOWN_FOR)


def _remembered(mirror: Mirror) -> list[SilentLoss]:
    noted = mirror.ledger.facts.get(_FACT)
    return [] if noted is None else msgspec.json.decode(noted, type=list[SilentLoss])
