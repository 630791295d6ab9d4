"""One run at a time: taking, renewing, losing and giving up the lease."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier

import pytest

from pypi_mirror.errors import LeaseLost, LedgerUnavailable, MirrorBusy
from pypi_mirror.ledger.lease import SECONDS, Lease, hold
from pypi_mirror.ledger.results import Results
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.transport.patience import LONGEST_PAUSE
from tests.ledger.samples import NOON, Hands, begin, planned, pooled, synced


@pytest.fixture
def lease(ledger: Ledger) -> Lease:
    return ledger.lease


def test_one_owner_at_a_time(lease: Lease) -> None:
    lease.take("first")
    with pytest.raises(MirrorBusy) as caught:
        lease.take("second")
    assert caught.value.owner == "first"
    assert caught.value.since == "2023-11-14 22:13 UTC"
    assert caught.value.expires == "2023-11-14 22:28 UTC"
    assert caught.value.retryable


def test_the_owner_may_take_it_again(lease: Lease, clock: Hands) -> None:
    lease.take("first")
    clock.now += SECONDS - 1
    lease.take("first")
    clock.now += SECONDS - 1
    with pytest.raises(MirrorBusy, match="in use by first since 2023-11-14 22:13 UTC"):
        lease.take("second")


def test_who_has_it_can_be_asked(lease: Lease, clock: Hands) -> None:
    assert lease.holder() is None
    lease.take("first")
    held = lease.holder()
    assert held is not None
    assert (held.owner, held.expires) == ("first", "2023-11-14 22:28 UTC")
    clock.now += SECONDS
    assert lease.holder() is None
    lease.take("second")
    clock.now -= 10 * 365 * 86_400
    assert lease.holder() is None, "no clock that is right made it"


def test_renewing_keeps_others_out(lease: Lease, clock: Hands) -> None:
    lease.take("first")
    for _ in range(3):
        clock.now += SECONDS - 1
        lease.renew("first")
    with pytest.raises(MirrorBusy):
        lease.take("second")


@pytest.mark.parametrize("pause", [60, SECONDS + 100, LONGEST_PAUSE, 10 * LONGEST_PAUSE])
def test_a_pause_keeps_it_although_others_of_the_run_renew_it(lease: Lease, clock: Hands, pause: int) -> None:
    lease.take("first")
    lease.renew("first", pause=pause)
    end = clock.now + min(pause, LONGEST_PAUSE)
    while clock.now + 50 < min(end, NOON + 300):
        clock.now += 50
        lease.renew("first")
    clock.now = end
    with pytest.raises(MirrorBusy):
        lease.take("second")
    assert lease.holder() is not None
    clock.now = end + SECONDS
    lease.take("second")


def test_a_dead_owner_loses_it_at_its_end(lease: Lease, clock: Hands) -> None:
    lease.take("first")
    clock.now += SECONDS - 1
    with pytest.raises(MirrorBusy):
        lease.take("second")
    clock.now += 1
    lease.take("second")
    with pytest.raises(LeaseLost, match=r"first may not write .* lost it to second at 2023") as caught:
        lease.renew("first")
    assert caught.value.holder == "second"
    assert not caught.value.retryable


def test_who_lost_it_stays_without_it_when_the_other_has_ended(lease: Lease, clock: Hands) -> None:
    """Its plan and its cursor are of a time before the other run."""
    lease.take("first")
    clock.now += SECONDS
    lease.take("second")
    lease.release("second")
    with pytest.raises(LeaseLost):
        lease.renew("first")


def test_who_lost_it_may_begin_again(lease: Lease, clock: Hands) -> None:
    lease.take("first")
    clock.now += SECONDS
    lease.take("second")
    lease.release("second")
    lease.take("first")
    lease.renew("first")


def test_expired_and_unclaimed_it_is_renewed(lease: Lease, clock: Hands) -> None:
    """Tasks of a run may wait long for each other; nobody has touched the mirror meanwhile."""
    lease.take("first")
    clock.now += 10 * SECONDS
    lease.renew("first")
    with pytest.raises(MirrorBusy):
        lease.take("second")


def test_given_up_it_is_free_at_once(lease: Lease) -> None:
    lease.take("first")
    lease.release("first")
    lease.take("second")


def test_given_up_and_unclaimed_it_is_renewed(lease: Lease) -> None:
    """A task of a finished run that is run once more, as long as no other run came after it."""
    lease.take("first")
    lease.release("first")
    lease.renew("first")
    with pytest.raises(MirrorBusy):
        lease.take("second")


def test_giving_up_what_another_has_changes_nothing(lease: Lease) -> None:
    lease.take("first")
    lease.release("second")
    with pytest.raises(MirrorBusy):
        lease.take("third")


def test_renewing_takes_nothing(lease: Lease) -> None:
    with pytest.raises(LeaseLost, match="never took the lease"):
        lease.renew("first")
    lease.take("second")


def test_one_that_a_clock_made_which_was_ahead_by_years_locks_nobody_out(lease: Lease, clock: Hands) -> None:
    clock.now += 10 * 365 * 86_400
    lease.take("first")
    clock.now -= 10 * 365 * 86_400
    lease.take("second")
    with pytest.raises(LeaseLost):
        lease.renew("first")


def test_a_clock_set_back_does_not_expire_it(lease: Lease, clock: Hands) -> None:
    lease.take("first")
    clock.now -= SECONDS
    with pytest.raises(MirrorBusy):
        lease.take("second")
    lease.renew("first")
    clock.now += SECONDS
    lease.take("second")


def test_a_lease_that_no_right_clock_can_have_made_is_void(lease: Lease, clock: Hands) -> None:
    clock.now = NOON + 10 * 365 * 86_400
    lease.take("from the future")
    clock.now = NOON
    lease.take("first")
    with pytest.raises(LeaseLost):
        lease.renew("from the future")


def _take(url: str, label: str) -> str | None:
    with Ledger.open(url, Hands()) as ledger:
        _together.wait(60)
        try:
            ledger.lease.take(label)
        except MirrorBusy as busy:
            return busy.owner
    return None


_together: Barrier


def _meet(barrier: Barrier) -> None:
    global _together
    _together = barrier


@pytest.mark.slow
def test_of_many_takers_at_one_instant_one_gets_it(url: str) -> None:
    """On an empty table, where there is no row to lock, and on one that is free again."""
    context = multiprocessing.get_context("spawn")
    takers = 4
    with (
        Ledger.open(url, Hands()) as ledger,
        ProcessPoolExecutor(takers, context, _meet, (context.Barrier(takers),)) as pool,
    ):
        for attempt in range(5):
            labels = [f"{attempt}/{taker}" for taker in range(takers)]
            found = list(pool.map(_take, [url] * takers, labels))
            assert found.count(None) == 1
            winner = labels[found.index(None)]
            assert {busy for busy in found if busy is not None} == {winner}
            ledger.lease.release(winner)


def test_a_run_that_lost_the_lease_records_nothing(ledger: Ledger, clock: Hands) -> None:
    _, results = begin(ledger, "first", [planned("a")])
    result = synced(ledger, planned("a"), pooled("a.whl"))
    clock.now += SECONDS
    ledger.lease.take("second")
    with pytest.raises(LeaseLost, match="first may not write"):
        results.record([result])
    with pytest.raises(LeaseLost):
        results.record([])
    assert list(ledger.projects.all()) == []


def test_a_run_that_never_had_the_lease_records_nothing(ledger: Ledger, clock: Hands) -> None:
    run = ledger.runs.begin(RunRequest(label="thief"))
    with pytest.raises(LeaseLost, match="never took"):
        Results(ledger.engine, clock, run.id).record([synced(ledger, planned("a"))])


@pytest.mark.servers
def test_nobody_takes_over_within_a_write(empty_postgres: str, clock: Hands) -> None:
    """On SQLite writers wait for each other anyway."""
    impatient = f"{empty_postgres}?options=-c%20lock_timeout%3D50ms"
    with Ledger.open(empty_postgres, clock) as ledger:
        run, _ = begin(ledger, "first")
        with ledger.engine.begin() as writing:
            hold(writing, run.id)
            with ledger.engine.begin() as sibling:
                hold(sibling, run.id)
            clock.now += SECONDS
            with Ledger.open(impatient, clock) as other, pytest.raises(LedgerUnavailable, match="lock"):
                other.lease.take("second")
        ledger.lease.take("second")
