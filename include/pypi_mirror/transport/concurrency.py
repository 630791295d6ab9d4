"""How many requests run at once: as many as upstream takes without slowing down, never above a limit.

A :class:`Controller` learns the number from how soon answers begin and from refusals, as TCP's congestion
control does; it knows no clock and no network. A :class:`Gate` lets so many requests pass, the rest waits
in line.
"""

import asyncio
from collections import deque
from typing import Final

# About what bandersnatch asks for at most: upstream is used to it, and later answers alone lead no lower.
START: Final = 16
# How much later than without a queue answers may begin: up to the first there is no queue worth the name,
# beyond the second it is ours, and it only costs. Seconds below which a delay is no queue of upstream's,
# but our own loop going round.
_NO_QUEUE: Final = 1.3
_LONG_QUEUE: Final = 2.0
_OUR_LOOP: Final = 0.002
# What becomes of the number after a round without a queue, after one with a long queue, after a refusal.
_GROWTH: Final = 1.1
_LESS: Final = 0.8
_REFUSED: Final = 0.5


class Controller:
    """``limit`` is how many requests may run at once now; from 1 to ``most``, which stays.

    It is reviewed once a round, that is after as many answers as requests may run at once: doubled at first,
    until answers begin later than they did before, then moved by a tenth up or a fifth down. A refusal
    halves it, once a round.
    """

    __slots__ = ("_base", "_delays", "_doubling", "_floor", "_pressed", "_skip", "limit", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._floor = min(START, most)
        self.limit = self._floor
        self._doubling = True
        self._base: float | None = None
        self._delays: list[float] = []
        self._pressed = False
        self._skip = 0

    def answered(self, delay: float, *, waiting: bool) -> bool:
        """An answer began ``delay`` seconds after its request was sent; ``waiting`` says whether others wait.

        Returns whether ``limit`` has changed.
        """
        if self._skip:
            self._skip -= 1
            return False
        self._delays.append(delay)
        if waiting:
            self._pressed = True
        return len(self._delays) >= self.limit and self._review()

    def refused(self) -> bool:
        """Upstream has too much to do, or no answer came. Returns whether ``limit`` has changed."""
        if self._skip:
            self._skip -= 1
            return False
        # Those under way were sent before we knew: whatever becomes of them says nothing new.
        self._skip = self.limit - 1
        self._delays.clear()
        self._doubling = False
        return self._move(self.limit * _REFUSED, floor=1)

    def _review(self) -> bool:
        # The lower quartile: what a cache on the way does not have, or waits for a new connection, is late
        # without any queue.
        delay = sorted(self._delays)[len(self._delays) // 4]
        self._delays.clear()
        pressed, self._pressed = self._pressed, False
        if self._base is None or delay < self._base:
            self._base = delay
        ratio = 1.0 if delay - self._base <= _OUR_LOOP else delay / self._base
        if ratio > _NO_QUEUE:
            self._doubling = False
        if ratio > _NO_QUEUE and self.limit <= self._floor:
            # So few make no queue: upstream, or the way to it, has become slower.
            self._base = delay
            return False
        if ratio > _LONG_QUEUE:
            return self._move(self.limit * _LESS, floor=self._floor)
        if ratio <= _NO_QUEUE and pressed:
            # Where nobody waits, nothing shows whether upstream would take more.
            return self._move(self.limit * 2 if self._doubling else max(self.limit + 1, self.limit * _GROWTH))
        return False

    def _move(self, limit: float, *, floor: int = 1) -> bool:
        before = self.limit
        self.limit = max(floor, min(self.most, int(limit)))
        return self.limit != before


class Gate:
    """Lets ``limit`` pass at once, the others in the order in which they came.

    Whoever passes calls :meth:`leave` in the end. Passing without a wait costs no coroutine::

        if not gate.enter():
            await gate.wait()
    """

    __slots__ = ("_inside", "_limit", "_line")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> bool:
        """Whether anybody stands in line."""
        return bool(self._line)

    def enter(self) -> bool:
        """Pass if there is room and nobody waits; False means that the caller has to wait."""
        if self._inside < self._limit and not self._line:
            self._inside += 1
            return True
        return False

    async def wait(self) -> None:
        """Returns when the caller has passed."""
        place = asyncio.get_running_loop().create_future()
        self._line.append(place)
        try:
            await place
        except asyncio.CancelledError:
            # Who gives up in line is passed over there; who was let in at this very moment makes room.
            if not place.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        self._inside -= 1
        self._let_in()

    def resize(self, limit: int) -> None:
        self._limit = limit
        self._let_in()

    def _let_in(self) -> None:
        line = self._line
        while line and self._inside < self._limit:
            place = line.popleft()
            if not place.cancelled():
                self._inside += 1
                place.set_result(None)
