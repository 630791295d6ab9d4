"""How a process that is the mirror's alone uses its memory."""

import gc
from typing import Final

# New objects; Python's default is 700.
_THRESHOLD: Final = 50_000


def collect_rarely() -> None:
    """Look for cycles rarely, and never among what is there by now, modules above all.

    A run holds many rows and tasks and makes few cycles: looking for them took a tenth of all CPU.
    """
    gc.freeze()
    gc.set_threshold(_THRESHOLD, *gc.get_threshold()[1:])
