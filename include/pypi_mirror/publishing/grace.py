"""When a grace period has ended: what only a clock that runs ahead takes for over is kept.

Tombstones and orphans are dated by this machine's clock. One that jumps ahead by a week would end every grace
period at once, and there is no way back from that. So before anything is deleted, upstream is asked what
time it is there.
"""

import logging
from collections.abc import Callable
from math import ceil
from typing import Final

from pypi_mirror.errors import UpstreamError
from pypi_mirror.facts.facts import Facts
from pypi_mirror.mirror import Mirror
from pypi_mirror.transport.answers import Lead
from pypi_mirror.wording import duration

log = logging.getLogger(__name__)

_DAY: Final = 24 * 3600
# Clocks that are set by the network agree within seconds; a date on the way through caches is a little older.
_AGREE_WITHIN: Final = 10 * 60


def grace_ended_before(mirror: Mirror, is_waiting: Callable[[int], bool]) -> int | None:
    """What is dated earlier (seconds since 1970) has had its grace period, by this clock and by upstream's.

    ``is_waiting`` tells whether anything is dated earlier than a time: without, upstream is not asked. None
    when there is nothing to delete, or upstream does not answer: then nothing is deleted this time. An
    upstream that answers without a date is no reason to doubt the clock.
    """
    before = int(mirror.clock() - mirror.settings.grace_days * _DAY)
    if not is_waiting(before):
        return None
    with mirror.control() as control:
        try:
            control.call("HEAD", mirror.simple_root, max_bytes=0)
        except UpstreamError as error:
            # The date is all that is wanted, and an answer that is an error has one, too.
            if control.lead is None:
                log.warning("nothing is deleted before upstream says what time it is: %s", error)
                return None
    note_clock(mirror, control.lead)
    if control.lead is None or control.lead.most <= _AGREE_WITHIN:
        return before
    return before - ceil(control.lead.most)


def note_clock(mirror: Mirror, lead: Lead | None) -> None:
    """Remember, and log, whether this machine's clock runs ahead; ``lead`` is None if nothing is known."""
    if lead is None:
        return
    wrong = lead.least > _AGREE_WITHIN
    mirror.ledger.facts.put(Facts.clock_ahead.to(int(lead.least) if wrong else None))
    if wrong:
        log.warning("%s", clock_warning(int(lead.least)))


def clock_warning(ahead: int) -> str:
    """The warning about a clock that is ``ahead`` seconds ahead."""
    return (
        f"this machine's clock is {duration(ahead)} ahead of upstream's: set it. Until then nothing is "
        "deleted whose grace period has not ended by upstream's clock, too"
    )
