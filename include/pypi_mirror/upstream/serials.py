"""Which serials are believable: an absurd one would hide every event that follows it.

Serials count events, so that the next one is near. One is absurd when it is more than twice its predecessor
and more than 100 million above it; PyPI took twenty years for half of that.
"""

from collections.abc import Iterable
from typing import Final

_FAR: Final = 100_000_000


def is_absurd(serial: int, after: int) -> bool:
    """Whether no upstream gets from the serial ``after`` to ``serial`` between two looks."""
    return serial > max(2 * after, after + _FAR)


def highest_believable(serials: Iterable[int], *, after: int | None) -> int | None:
    """The highest of ``serials`` that follows from the others, or from ``after``; None without any."""
    highest = after
    for serial in sorted(serials):
        if highest is not None and is_absurd(serial, highest):
            break
        highest = serial if highest is None else max(highest, serial)
    return highest
