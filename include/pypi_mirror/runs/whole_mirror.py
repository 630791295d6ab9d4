"""The mirror for a moment, to change something that no run may be in the middle of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pypi_mirror.errors import MirrorBusy
from pypi_mirror.mirror import Mirror


@contextmanager
def whole_mirror(mirror: Mirror, owner: str, *, is_dead: Callable[[str], bool]) -> Iterator[None]:
    """Hold the lease as ``owner``; that of a process that ``is_dead`` is taken over.

    Raises MirrorBusy while a run is under way.
    """
    try:
        mirror.ledger.lease.take(owner)
    except MirrorBusy as busy:
        if not is_dead(busy.owner):
            raise
        mirror.ledger.lease.release(busy.owner)
        mirror.ledger.lease.take(owner)
    try:
        yield
    finally:
        mirror.ledger.lease.release(owner)
