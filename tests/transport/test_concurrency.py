"""The controller against simulated upstreams, the gate against waiters that give up."""

import asyncio
import heapq
import random
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.transport.concurrency import START, Controller, Gate


class Upstream:
    """Serves ``capacity`` requests at once, each in ``delay`` seconds; more wait in line (first come, first
    served), or are refused at once where ``refuses`` is set. Time is simulated."""

    def __init__(self, *, delay: float, capacity: float, refuses: bool = False, jitter: float = 0.05) -> None:
        self.delay = delay
        self.capacity = capacity
        self.refuses = refuses
        self.jitter = jitter
        self.most_at_once = 0
        self._random = random.Random(7)
        self._under_way: list[tuple[float, int, float, bool]] = []
        self._busy_until: list[float] = []
        self._now = 0.0
        self._numbers = count()

    def drive(self, controller: Controller, answers: int, *, demand: int = 1_000) -> list[int]:
        """Keep ``controller.limit`` requests under way, ``demand`` at most; the limit after each answer."""
        limits = []
        for _ in range(answers):
            while len(self._under_way) < min(controller.limit, demand):
                self._send()
            self.most_at_once = max(self.most_at_once, len(self._under_way))
            self._now, _, delay, good = heapq.heappop(self._under_way)
            waiting = demand > controller.limit
            if good:
                controller.answered(delay, waiting=waiting)
            else:
                controller.refused()
            limits.append(controller.limit)
        return limits

    def _send(self) -> None:
        self._busy_until = [end for end in self._busy_until if end > self._now]
        full = len(self._busy_until) >= self.capacity
        if full and self.refuses:
            heapq.heappush(self._under_way, (self._now + 0.01, next(self._numbers), 0.0, False))
            return
        begins = sorted(self._busy_until)[-int(self.capacity)] if full else self._now
        ends = begins + self.delay * self._random.uniform(1, 1 + self.jitter)
        self._busy_until.append(ends)
        heapq.heappush(self._under_way, (ends, next(self._numbers), ends - self._now, True))


def average(limits: list[int]) -> float:
    return sum(limits) / len(limits)


class TestController:
    def test_an_upstream_that_takes_everything_gets_the_limit(self) -> None:
        controller = Controller(128)
        limits = Upstream(delay=0.05, capacity=10_000).drive(controller, 300)
        assert limits[0] == START
        # Three rounds, and then no more.
        assert limits[START + 2 * START + 4 * START] == limits[-1] == 128

    @pytest.mark.parametrize("capacity", [24, 40, 90, 200])
    def test_where_answers_come_later_it_stays_near_what_upstream_can_do(self, capacity: int) -> None:
        controller = Controller(1_000)
        limits = Upstream(delay=0.05, capacity=capacity).drive(controller, 20_000)
        assert capacity <= average(limits[10_000:]) <= 2 * capacity
        # It learns of a queue a round late, and doubles until then.
        assert max(limits) <= 6 * capacity

    @pytest.mark.parametrize("capacity", [3, 20, 80])
    def test_where_upstream_refuses_it_stays_near_what_upstream_allows(self, capacity: int) -> None:
        controller = Controller(1_000)
        limits = Upstream(delay=0.05, capacity=capacity, refuses=True).drive(controller, 20_000)
        assert 0.5 * capacity <= average(limits[10_000:]) <= 1.25 * capacity

    def test_one_failed_round_counts_once(self) -> None:
        controller = Controller(64)
        Upstream(delay=0.05, capacity=1_000).drive(controller, 300)
        assert [controller.refused() for _ in range(64)] == [True] + [False] * 63
        assert controller.limit == 32
        assert controller.refused()
        assert controller.limit == 16

    def test_an_outage_leads_to_one_request_at_a_time_and_its_end_back(self) -> None:
        controller = Controller(64)
        Upstream(delay=0.05, capacity=1_000).drive(controller, 300)
        for _ in range(200):
            controller.refused()
        assert controller.limit == 1
        limits = Upstream(delay=0.05, capacity=1_000).drive(controller, 2_000)
        assert limits[-1] == 64

    def test_a_way_to_upstream_that_became_longer_is_no_queue(self) -> None:
        controller = Controller(64)
        Upstream(delay=0.02, capacity=1_000).drive(controller, 300)
        limits = Upstream(delay=0.2, capacity=1_000).drive(controller, 3_000)
        assert min(limits) >= START
        assert limits[-1] == 64

    @pytest.mark.parametrize("slower", [1.5, 1.9, 3.0])
    def test_an_outage_after_which_upstream_is_slower_is_recovered_from(self, slower: float) -> None:
        controller = Controller(64)
        Upstream(delay=0.02, capacity=1_000).drive(controller, 300)
        for _ in range(200):
            controller.refused()
        limits = Upstream(delay=0.02 * slower, capacity=1_000).drive(controller, 4_000)
        assert limits[-1] == 64

    def test_delays_that_jump_up_and_down_do_not_lead_below_the_start_nor_keep_it_there(self) -> None:
        controller = Controller(64)
        for n in range(40):
            limits = Upstream(delay=0.02 if n % 2 else 0.1, capacity=1_000).drive(controller, 1_500)
            assert min(limits) >= START
        assert limits[-1] == 64

    def test_a_limit_of_one_stays_one_whatever_comes(self) -> None:
        controller = Controller(1)
        assert set(Upstream(delay=0.05, capacity=1_000).drive(controller, 100)) == {1}
        for _ in range(10):
            controller.refused()
        assert set(Upstream(delay=0.5, capacity=1_000).drive(controller, 100)) == {1}

    def test_slow_answers_alone_never_lead_below_the_start(self) -> None:
        controller = Controller(64)
        limits = Upstream(delay=0.05, capacity=2).drive(controller, 5_000)
        assert min(limits) == START

    def test_it_does_not_grow_while_nobody_waits(self) -> None:
        controller = Controller(64)
        limits = Upstream(delay=0.05, capacity=1_000).drive(controller, 1_000, demand=5)
        assert set(limits) == {START}

    @pytest.mark.parametrize("every", [2, 3])
    def test_what_a_cache_has_not_is_no_queue(self, every: int) -> None:
        """A half of all answers, or two thirds, come ten times as late, at all times."""
        controller = Controller(64)
        for n in range(2_000):
            controller.answered(0.02 if n % every == 0 else 0.2, waiting=True)
        assert controller.limit == 64

    @given(
        most=st.integers(1, 300),
        answers=st.lists(st.none() | st.floats(0, 100, allow_nan=False), max_size=400),
    )
    def test_whatever_happens_the_limit_holds(self, most: int, answers: list[float | None]) -> None:
        controller = Controller(most)
        for delay in answers:
            before = controller.limit
            changed = controller.refused() if delay is None else controller.answered(delay, waiting=True)
            assert 1 <= controller.limit <= most
            assert changed == (controller.limit != before)


async def pass_through(gate: Gate, name: str, log: list[str], until: asyncio.Event | None = None) -> None:
    if not gate.enter():
        await gate.wait()
    try:
        log.append(name)
        if until is not None:
            await until.wait()
    finally:
        gate.leave()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class TestGate:
    def test_so_many_pass_and_the_others_in_their_order(self) -> None:
        async def play() -> None:
            gate, log, go = Gate(2), list[str](), asyncio.Event()
            tasks = [asyncio.create_task(pass_through(gate, name, log, go)) for name in "abcde"]
            await settle()
            assert (log, gate.waiting) == (["a", "b"], True)
            go.set()
            await asyncio.gather(*tasks)
            assert (log, gate.waiting) == (list("abcde"), False)

        asyncio.run(play())

    def test_nobody_jumps_the_line(self) -> None:
        async def play() -> None:
            gate, log = Gate(1), list[str]()
            assert gate.enter()
            first = asyncio.create_task(pass_through(gate, "first", log))
            await settle()
            gate.leave()
            # Whose turn it is has been woken and has not run yet.
            assert not gate.enter()
            await first
            assert gate.enter()

        asyncio.run(play())

    def test_who_gives_up_in_line_is_passed_over(self) -> None:
        async def play() -> None:
            gate, log = Gate(1), list[str]()
            assert gate.enter()
            quitter, other = (asyncio.create_task(pass_through(gate, name, log)) for name in ("x", "y"))
            await settle()
            quitter.cancel()
            gate.leave()
            await asyncio.wait([quitter, other], timeout=5)
            assert log == ["y"]
            assert gate.enter()

        asyncio.run(play())

    def test_who_gives_up_when_let_in_makes_room(self) -> None:
        async def play() -> None:
            gate, log = Gate(1), list[str]()
            assert gate.enter()
            quitter = asyncio.create_task(pass_through(gate, "x", log))
            await settle()
            gate.leave()
            quitter.cancel()
            await asyncio.wait([quitter], timeout=5)
            assert log == []
            assert gate.enter()

        asyncio.run(play())

    def test_a_wider_gate_lets_in_who_waits_and_a_narrower_one_lets_them_out_first(self) -> None:
        async def play() -> None:
            gate, log = Gate(1), list[str]()
            events = {name: asyncio.Event() for name in "abcd"}
            tasks = [asyncio.create_task(pass_through(gate, n, log, event)) for n, event in events.items()]
            await settle()
            gate.resize(3)
            await settle()
            assert log == ["a", "b", "c"]
            gate.resize(1)
            events["a"].set()
            events["b"].set()
            await settle()
            assert log == ["a", "b", "c"]
            events["c"].set()
            await settle()
            assert log == ["a", "b", "c", "d"]
            events["d"].set()
            await asyncio.gather(*tasks)

        asyncio.run(play())

    @given(data=st.data())
    def test_whatever_happens_no_room_is_lost_and_none_is_made(self, data: st.DataObject) -> None:
        async def play() -> None:
            limit = data.draw(st.integers(1, 4))
            gate, inside, most = Gate(limit), 0, 0

            async def visit(stay: int) -> None:
                nonlocal inside, most
                if not gate.enter():
                    await gate.wait()
                try:
                    inside += 1
                    most = max(most, inside)
                    for _ in range(stay):
                        await asyncio.sleep(0)
                finally:
                    inside -= 1
                    gate.leave()

            tasks: list[asyncio.Task[None]] = []
            for what in data.draw(st.lists(st.integers(-3, 3), max_size=40)):
                if what >= 0:
                    tasks.append(asyncio.create_task(visit(what)))
                elif tasks:
                    tasks[data.draw(st.integers(0, len(tasks) - 1))].cancel()
                if data.draw(st.booleans()):
                    await asyncio.sleep(0)
            await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
            assert most <= limit
            assert [gate.enter() for _ in range(limit + 1)] == [True] * limit + [False]

        asyncio.run(play())
