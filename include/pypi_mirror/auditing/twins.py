"""A compressed twin against the file that it is a twin of, for files of any size."""

import gzip
import zlib
from pathlib import Path
from typing import Final

_BLOCK: Final = 1 << 20


def holds(twin: Path, plain: Path) -> bool:
    """Whether the gzip file ``twin`` is whole and holds the bytes of ``plain``."""
    try:
        with gzip.open(twin, "rb") as packed, plain.open("rb") as content:
            while block := content.read(_BLOCK):
                if packed.read(len(block)) != block:
                    return False
            return not packed.read(1)
    except (OSError, EOFError, zlib.error):
        return False
