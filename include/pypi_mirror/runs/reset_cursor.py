"""What a person does about an upstream that was replaced, set back, or has jumped ahead."""

from collections.abc import Callable

from pypi_mirror.ledger.store import reset_upstream
from pypi_mirror.mirror import Mirror
from pypi_mirror.runs.whole_mirror import whole_mirror


def reset_cursor(mirror: Mirror, owner: str, *, is_dead: Callable[[str], bool]) -> int | None:
    """Forget where upstream was, so that the next sync compares everything; returns the cursor of before.

    Raises MirrorBusy while a run is under way.
    """
    with whole_mirror(mirror, owner, is_dead=is_dead):
        cursor = mirror.ledger.facts.cursor
        reset_upstream(mirror.ledger.engine)
    return cursor
