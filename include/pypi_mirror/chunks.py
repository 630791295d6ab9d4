"""Many items some at a time: what is in memory at once, or in one statement."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

_Item = TypeVar("_Item")

# A statement takes some ten thousand values.
_SIZE: Final = 5_000


def chunks(items: Iterable[_Item], size: int = _SIZE) -> Iterator[list[_Item]]:
    """``itertools.batched`` of Python 3.12, in lists; what follows is taken only once it is asked for."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
