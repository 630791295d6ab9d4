"""Pages that were read are recorded in groups: by number, by size, by age, and at the end."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.catalogue import Entry, EntryState
from pypi_mirror.fetching import read_commit
from pypi_mirror.fetching.read_commit import ReadCommit
from pypi_mirror.ledger.page_reads import PageRead, PageReads
from pypi_mirror.ledger.results import Failed
from pypi_mirror.model import Action, PlannedProject

Read = PageRead | Failed


def planned() -> PlannedProject:
    return PlannedProject(
        project=NormalizedName("foo"), display_name="foo", action=Action.SYNC, reason="test"
    )


def read(size: int = 0) -> PageRead:
    entry = Entry(
        project=NormalizedName("foo"), state=EntryState.PAGE, checked_at=0, digest=b"", encoding=1,
        body=bytes(size),
    )  # fmt: skip
    return PageRead(planned=planned(), entry=entry, confirmed=None)


NOT_READ = Failed(planned=planned(), error="UpstreamError", reason="answered 500")
OLD = PageRead(planned=planned(), entry=None, confirmed=None)


class Ledger:
    def __init__(self) -> None:
        self.groups: list[int] = []
        self.refuses = False

    def record(self, reads: Sequence[Read]) -> None:
        if self.refuses:
            raise RuntimeError("the ledger is locked")
        self.groups.append(len(reads))


def run(steps: Callable[[ReadCommit, Ledger], object], *, told: list[int] | None = None) -> Ledger:
    ledger = Ledger()

    async def whole() -> None:
        commit = ReadCommit(
            cast("PageReads", ledger), lambda group: None if told is None else told.append(len(group))
        )
        result = steps(commit, ledger)
        assert asyncio.iscoroutine(result)
        await result

    asyncio.run(whole())
    return ledger


@pytest.mark.parametrize(
    ("reads", "groups"),
    [
        ([], []),
        ([read()], [1]),
        ([read()] * 199, [199]),
        ([read()] * 200, [200]),
        ([read(), OLD, NOT_READ] * 67, [200, 1]),
        ([read(8 * 2**20)] * 5, [2, 2, 1]),
        ([read(2**24)] * 2, [1, 1]),
    ],
    ids=["none", "one", "fewer", "a group", "whatever came of them", "large pages", "one page a group"],
)
def test_groups_are_closed_by_number_and_by_size(reads: list[Read], groups: list[int]) -> None:
    told: list[int] = []

    async def steps(commit: ReadCommit, _: Ledger) -> None:
        for each in reads:
            await commit.add(each)
        await commit.finish()

    assert run(steps, told=told).groups == groups
    assert told == groups


def test_what_is_old_is_recorded_though_no_page_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(commit: ReadCommit, ledger: Ledger) -> None:
        await commit.add(read())
        await commit.tick()
        assert ledger.groups == []
        monkeypatch.setattr(read_commit, "_SECONDS", 0.0)
        await commit.tick()
        assert ledger.groups == [1]
        await commit.tick()
        await commit.finish()

    assert run(steps).groups == [1], "an empty group is none"


def test_what_the_ledger_did_not_take_is_offered_again() -> None:
    async def steps(commit: ReadCommit, ledger: Ledger) -> None:
        await commit.add(read())
        ledger.refuses = True
        with pytest.raises(RuntimeError):
            await commit.finish()
        ledger.refuses = False
        await commit.finish()

    told: list[int] = []
    assert run(steps, told=told).groups == [1]
    assert told == [1]
