"""What a person does about an upstream that was replaced, set back, or has jumped ahead."""

from collections.abc import Callable

from pypi_mirror.errors import MirrorBusy
from pypi_mirror.ledger.store import reset_upstream
from pypi_mirror.mirror import Mirror


def reset_cursor(mirror: Mirror, owner: str, *, is_dead: Callable[[str], bool]) -> int | None:
    """Forget where upstream was, so that the next sync compares everything; returns the cursor of before.

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
        cursor = mirror.ledger.facts.cursor
        reset_upstream(mirror.ledger.engine)
    finally:
        mirror.ledger.lease.release(owner)
    return cursor
