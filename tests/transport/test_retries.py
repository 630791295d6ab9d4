"""A batch's retries: bounded in all, patient with an upstream that is out, fair to one that is there."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pypi_mirror.errors import (
    CutOff,
    DigestMismatch,
    FileBusy,
    FileRefused,
    MirrorError,
    UpstreamDown,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamUnavailable,
)
from pypi_mirror.transport.patience import Patience
from pypi_mirror.transport.retries import NO_CACHE, Retries
from tests.upstream.fakes import INDEX, Answer, FakeTransport, Waits, said

URL = "https://files.example/a"
OTHER = "https://files.example/b"
LOST = UpstreamUnavailable("lost", url=URL)
WRONG = DigestMismatch(url=URL, algorithm="sha256", expected="a", actual="b")


class Script:
    """An attempt that fails with ``errors``, one after the other, and then succeeds; ``told`` is what it was
    told of the try before.
    """

    def __init__(self, *errors: MirrorError) -> None:
        self.told: list[MirrorError | None] = []
        self._errors = list(errors)

    async def __call__(self, after: MirrorError | None) -> str:
        self.told.append(after)
        if self._errors:
            raise self._errors.pop(0)
        return "here"


class Scene:
    """``index`` and ``other`` are what the root index and ``OTHER`` are when upstream is asked for them."""

    def __init__(
        self, *index: Answer, other: Answer | None = None, attempts: int = 5, outage_wait: float = 10.0
    ) -> None:
        self.waits = Waits()
        # What happens during the pause of that number.
        self.during: dict[int, Callable[[], Awaitable[None]]] = {}
        self.transport = FakeTransport({INDEX: index or [said()], OTHER: [other or said()]})
        patience = Patience(attempts=attempts, outage_wait=outage_wait, sleep=self.sleep)
        self.retries = Retries(self.transport, patience, index=INDEX)

    async def sleep(self, seconds: float, /) -> None:
        await self.waits(seconds)
        await asyncio.sleep(0)
        if (happens := self.during.pop(len(self.waits.seconds), None)) is not None:
            await happens()

    def run(self, attempt: Callable[[MirrorError | None], Awaitable[str]], url: str = URL) -> str:
        return asyncio.run(self.retries.run(url, attempt))

    def run_all(self, attempts: dict[str, Script]) -> list[Any]:
        async def run() -> list[Any]:
            tasks = (self.retries.run(url, attempt) for url, attempt in attempts.items())
            return list(await asyncio.gather(*tasks, return_exceptions=True))

        return asyncio.run(run())


async def works(_after: MirrorError | None) -> str:
    return "here"


async def never(_after: MirrorError | None) -> str:
    await asyncio.Event().wait()
    return "never"


def for_ever(error: MirrorError) -> Script:
    return Script(*itertools.repeat(error, 1000))


class TestTries:
    @pytest.mark.parametrize("error", [LOST, FileBusy(path="x"), WRONG, CutOff("half a page", url=URL)])
    def test_what_passes_is_tried_again_and_told_why(self, error: MirrorError) -> None:
        scene, script = Scene(), Script(error)
        assert scene.run(script) == "here"
        assert script.told == [None, error]
        assert len(scene.waits.seconds) == 1

    @pytest.mark.parametrize(
        "error",
        [
            FileRefused("no", url=URL),
            UpstreamMalformed("no page", url=URL),
            UpstreamError("answered 400", url=URL),
            UpstreamRefused("answered 403", url=URL),
        ],
    )
    def test_what_stays_is_not(self, error: MirrorError) -> None:
        scene, script = Scene(), Script(error)
        with pytest.raises(type(error)):
            scene.run(script)
        assert script.told == [None]
        assert scene.waits.seconds == []

    def test_pauses_grow_and_upstream_may_ask_for_longer_ones(self) -> None:
        asks = UpstreamUnavailable("answered 429", url=URL, retry_after=30)
        scene, script = Scene(), Script(LOST, asks, LOST)
        scene.run(script)
        first, second, third = scene.waits.seconds
        assert first < 1.2
        assert second == 30
        assert 3 < third < 5

    def test_wrong_bytes_are_believed_sooner_than_silence(self) -> None:
        script = for_ever(WRONG)
        with pytest.raises(DigestMismatch):
            Scene(attempts=5).run(script)
        assert len(script.told) == 3


class TestBudget:
    def test_a_sick_upstream_gets_a_third_more_and_no_multiple(self) -> None:
        """Of a thousand requests every one fails five times over; others are answered, so it is not down."""
        scene = Scene()
        tries = 0

        async def fails(_after: MirrorError | None) -> str:
            nonlocal tries
            tries += 1
            raise UpstreamUnavailable("lost", url=URL)

        async def run() -> None:
            for _ in range(1000):
                await scene.retries.run(OTHER, works)
                with pytest.raises(UpstreamUnavailable):
                    await scene.retries.run(URL, fails)

        asyncio.run(run())
        retries = tries - 1000
        begun = 2000 + retries + scene.transport.requests
        assert 100 + begun / 3 - 5 < retries <= 100 + begun / 3 + 1
        # Who gets no retry gives up when it would have done anyway: no sooner, no later.
        assert len(scene.waits.seconds) == 4000

    def test_every_fifth_request_failing_loses_nothing(self) -> None:
        scene, counter = Scene(), itertools.count(1)

        async def sometimes(_after: MirrorError | None) -> str:
            if next(counter) % 5 == 0:
                raise LOST
            return "here"

        async def run() -> None:
            for _ in range(5000):
                assert await scene.retries.run(URL, sometimes) == "here"

        asyncio.run(run())
        assert scene.transport.requests == 0, "nobody had to ask whether upstream is there"

    def test_a_stale_page_is_looked_at_again_within_it(self) -> None:
        scene = Scene()

        async def run() -> list[bool]:
            return [await scene.retries.is_allowed(iter([1.0, 2.0])) for _ in range(101)]

        assert asyncio.run(run()) == [True] * 100 + [False]
        assert scene.waits.seconds == [1.0, 2.0]


class TestBreaker:
    def test_a_request_that_fails_while_upstream_has_the_rest_fails_alone(self) -> None:
        scene = Scene()
        with pytest.raises(UpstreamUnavailable, match="lost"):
            scene.run(for_ever(LOST))
        (asked,) = scene.transport.asked
        assert (asked.url, asked.headers) == (INDEX, (NO_CACHE, "Range: bytes=0-0"))

    def test_nothing_is_asked_where_others_are_answered_meanwhile(self) -> None:
        scene = Scene()

        async def run() -> None:
            async def meanwhile() -> None:
                while True:
                    await scene.retries.run(OTHER, works)
                    await asyncio.sleep(0)

            others = asyncio.create_task(meanwhile())
            with pytest.raises(UpstreamUnavailable):
                await scene.retries.run(URL, for_ever(LOST))
            others.cancel()

        asyncio.run(run())
        assert scene.transport.requests == 0

    def test_what_began_before_the_trouble_and_ends_in_it_does_not_speak_for_upstream(self) -> None:
        """A server that is going down ends the downloads under way, and takes no others."""
        scene, going_on = Scene(LOST, other=LOST), asyncio.Event()

        async def large(_after: MirrorError | None) -> str:
            await going_on.wait()
            return "here"

        async def run() -> None:
            first = asyncio.create_task(scene.retries.run(OTHER, large))
            await asyncio.sleep(0)

            async def ends() -> None:
                silent.append(asyncio.create_task(scene.retries.run(URL, never)))
                await asyncio.sleep(0)
                going_on.set()
                await first

            silent: list[asyncio.Task[str]] = []
            scene.during[4] = ends
            with pytest.raises(UpstreamDown):
                await scene.retries.run(URL, for_ever(LOST))
            silent[0].cancel()

        asyncio.run(run())

    def test_what_was_answered_before_the_last_tries_does_not_speak_for_upstream(self) -> None:
        scene = Scene(LOST, other=LOST)

        async def another() -> None:
            await scene.retries.run(OTHER, works)

        scene.during[2] = another
        with pytest.raises(UpstreamDown):
            scene.run(for_ever(LOST))

    def test_what_was_answered_between_the_last_tries_does(self) -> None:
        scene = Scene(LOST, other=LOST)

        async def another() -> None:
            await scene.retries.run(OTHER, works)

        scene.during[4] = another
        with pytest.raises(UpstreamUnavailable):
            scene.run(for_ever(LOST))

    @pytest.mark.parametrize(
        "trouble",
        [said(status=503), said(status=429), said(status=403), said(status=407), LOST],
        ids=["503", "429", "403", "407", "lost"],
    )
    def test_an_upstream_that_is_down_is_waited_for_and_then_said_to_be(self, trouble: Answer) -> None:
        scene = Scene(trouble, outage_wait=10)
        with pytest.raises(
            UpstreamDown, match=r"upstream is down: https://.*; nothing else was answered for 10 s"
        ):
            scene.run(for_ever(LOST))
        assert sum(scene.waits.seconds[4:]) == pytest.approx(10)

    def test_an_upstream_that_lets_nobody_in_any_more_is_down(self) -> None:
        scene = Scene(said(status=403))
        with pytest.raises(UpstreamDown, match="answered 403"):
            scene.run(Script(UpstreamRefused("answered 403", url=URL)))

    def test_the_last_thing_that_came_is_what_is_asked_for(self) -> None:
        scene = Scene(said(status=503), other=said(status=404))

        async def run() -> None:
            await scene.retries.run(OTHER, works)
            # A 404 is an answer, too: somebody is there.
            with pytest.raises(UpstreamUnavailable):
                await scene.retries.run(URL, for_ever(LOST))

        asyncio.run(run())
        assert [request.url for request in scene.transport.asked] == [OTHER]

    def test_more_than_the_byte_that_was_asked_for_is_an_answer(self) -> None:
        scene = Scene(UpstreamMalformed("the body is larger than 1 bytes; cut off", url=INDEX))
        with pytest.raises(UpstreamUnavailable):
            scene.run(for_ever(LOST))

    def test_while_it_is_out_one_asks_and_all_wait(self) -> None:
        """Fifty requests run into an outage that outlasts their tries; every one arrives in the end."""
        scene = Scene(*[said(status=503)] * 3, said())
        scripts = {f"https://files.example/{n}": Script(*[LOST] * 5) for n in range(50)}
        assert scene.run_all(scripts) == ["here"] * 50
        # The outage itself costs upstream one request a pause, not fifty.
        assert scene.transport.requests == 4

    def test_what_begins_during_an_outage_waits_for_its_end(self) -> None:
        scene = Scene(*[said(status=503)] * 3, said())
        late = Script()

        async def run() -> None:
            first = asyncio.create_task(scene.retries.run(URL, Script(*[LOST] * 5)))
            while scene.transport.requests < 2:
                await asyncio.sleep(0)
            assert await scene.retries.run("https://files.example/late", late) == "here"
            assert scene.transport.requests == 4
            await first

        asyncio.run(run())

    def test_once_it_is_down_nobody_waits_again(self) -> None:
        scene = Scene(said(status=503))
        scripts = {f"https://files.example/{n}": for_ever(LOST) for n in range(20)}
        results = scene.run_all(scripts)
        assert {type(result) for result in results} == {UpstreamDown}
        asked = scene.transport.requests
        with pytest.raises(UpstreamDown):
            scene.run(works)
        assert scene.transport.requests == asked

    def test_an_outage_that_is_over_says_nothing_about_a_request_that_fails_still(self) -> None:
        scene = Scene(said(status=503), said())
        script = for_ever(LOST)
        with pytest.raises(UpstreamUnavailable):
            scene.run(script)
        assert len(script.told) == 10, "all its tries, before the outage and after it"

    def test_what_was_cancelled_while_it_waited_leaves_the_others_a_way(self) -> None:
        scene = Scene(*[said(status=503)] * 3, said())

        async def run() -> str:
            first = asyncio.create_task(scene.retries.run(URL, Script(*[LOST] * 5)))
            while scene.transport.requests < 2:
                await asyncio.sleep(0)
            first.cancel()
            return await scene.retries.run(URL, works)

        assert asyncio.run(run()) == "here"
