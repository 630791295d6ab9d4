"""What a run lost without a plan foreseeing it: noted once a project, summed over all of its batches."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.errors import LeaseLost
from pypi_mirror.ledger.losses import Losses, Lost
from pypi_mirror.ledger.results import Failed
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.model import Loss
from tests.ledger.samples import begin, planned, pooled, removed, synced


def page(files: int = 3) -> Loss:
    return Loss(project=True, files=files, bytes=10 * files)


def named(names: Iterable[str], loss: Loss) -> dict[NormalizedName, Loss]:
    return {NormalizedName(name): loss for name in names}


def held(name: str) -> Failed:
    return Failed(planned=planned(name), error="LossHeld", reason="too much")


def test_each_project_counts_once_however_often_it_is_tried(ledger: Ledger) -> None:
    run, _ = begin(ledger, plan=[planned(name) for name in "abc"])
    losses = Losses(ledger.engine, run.id)
    assert losses.add(named("a", page())) == Lost(touched=1, projects=1, files=3, bytes=30)
    assert losses.add(named("a", page(2))) == Lost(touched=1, projects=1, files=2, bytes=20)
    found = losses.add(named("b", Loss(project=False, files=5, bytes=1)))
    assert found == Lost(touched=2, projects=1, files=7, bytes=21)


def test_a_project_without_files_counts_too(ledger: Ledger) -> None:
    run, _ = begin(ledger, plan=[planned("a")])
    assert Losses(ledger.engine, run.id).add(named("a", page(0))).touched == 1


def test_batches_at_once_all_hear_of_each_other(ledger: Ledger) -> None:
    names = [f"p{number:02}" for number in range(20)]
    run, _ = begin(ledger, plan=[planned(name) for name in names])

    def add(name: str) -> int:
        return Losses(ledger.engine, run.id).add(named([name], page())).touched

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(add, names)) == list(range(1, 21))


def test_what_earlier_runs_held_back_counts_until_it_is_settled(ledger: Ledger) -> None:
    run, results = begin(ledger, "first", plan=[planned(name) for name in "abc"])
    results.record([held("a"), held("b"), Failed(planned=planned("c"), error="StalePage", reason="old")])
    run, results = begin(ledger, "first", plan=[planned(name) for name in "bd"])
    losses = Losses(ledger.engine, run.id)
    assert losses.add(named("d", page())) == Lost(touched=3, projects=3, files=3, bytes=30)
    assert losses.add(named("b", page())).touched == 3, "b is the run's own by now"
    results.record([synced(ledger, planned("a"), pooled("a.whl"))])
    assert losses.add(named("d", page())).touched == 2


def test_a_batch_that_is_run_again_begins_anew(ledger: Ledger) -> None:
    run, results = begin(ledger, plan=[planned(name) for name in "ab"])
    losses = Losses(ledger.engine, run.id)
    losses.add(named("ab", page()))
    results.record([held("a")])
    ledger.plan.reopen_failed(run.id, 0)
    results.record([synced(ledger, planned("a"), pooled("a.whl"))])
    assert losses.add(named("b", page())).touched == 1


def test_what_the_run_asks_for(ledger: Ledger) -> None:
    _, results = begin(ledger, "first", plan=[planned(name) for name in "abc"])
    results.record([synced(ledger, planned(n), pooled(f"{n}1.whl"), pooled(f"{n}2.whl")) for n in "abc"])
    results.record([removed(ledger, planned("c"))])
    run, _ = begin(ledger, "first", plan=[planned(name) for name in "bcd"])
    asked = Losses(ledger.engine, run.id).asked_for()
    assert (asked.projects, asked.files, asked.bytes) == (1, 2, 20)


def test_a_run_that_lost_the_mirror_may_lose_nothing_more(ledger: Ledger) -> None:
    run, _ = begin(ledger, plan=[planned("a")])
    ledger.lease.release("a run")
    ledger.lease.take("another run")
    with pytest.raises(LeaseLost):
        Losses(ledger.engine, run.id).add(named("a", page()))
