"""Bodies that are held in memory, bounded together: many large ones must not come at once."""

from typing import Final

# What a hundred pages and documents take is a tenth of it.
LIMIT: Final = 64 * 1024 * 1024


class Memory:
    """Counts the bytes of bodies in memory: those that come, and those whose answer somebody still has."""

    __slots__ = ("held", "limit")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.held = 0


class Hold:
    """A body's part of ``memory``, until nobody has its answer any more."""

    __slots__ = ("_memory", "_size")

    def __init__(self, memory: Memory, size: int) -> None:
        self._memory = memory
        self._size = size

    def __del__(self) -> None:
        self._memory.held -= self._size
