"""The guard's two weightings: what waits for a person, and what is withheld because nothing announced it."""

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.ledger.losses import Lost
from pypi_mirror.ledger.projects import Totals
from pypi_mirror.ledger.results import Failed
from pypi_mirror.model import Action, Event, Loss, PlannedProject
from pypi_mirror.planning.guard import Losing, unannounced, weigh_announced, weigh_silent, withheld
from pypi_mirror.settings.values import RemovalGuard

GUARD = RemovalGuard()
BIG = Totals(projects=100_000, files=1_000_000, bytes=10**12)


def removals(**figures: int) -> Lost:
    return Lost(**{"touched": max(figures.values()), "projects": 0, "files": 0, "bytes": 0, **figures})


@pytest.mark.parametrize(
    ("found", "totals", "words"),
    [
        (removals(projects=500), BIG, []),
        (removals(projects=501), BIG, ["501 projects, [removal] max-projects is 500"]),
        (removals(projects=100), replace(BIG, projects=10_000), []),
        (
            removals(projects=101),
            replace(BIG, projects=10_000),
            ["1.01% of the mirror's projects, [removal] max-percent is 1"],
        ),
        (
            removals(files=10_001),
            BIG,
            ["1% of the mirror's files, [removal] max-percent is 1"],
        ),
        (removals(bytes=10**10), BIG, []),
        (
            removals(bytes=2 * 10**10),
            BIG,
            ["2% of the mirror's bytes, [removal] max-percent is 1"],
        ),
        (removals(projects=9), Totals(), ["100% of the mirror's projects, [removal] max-percent is 1"]),
    ],
)
def test_each_limit_by_itself(found: Lost, totals: Totals, words: list[str]) -> None:
    assert weigh_announced(found, GUARD, held=totals) == words


def test_a_small_mirror_can_remove_a_few_whatever_their_size() -> None:
    held = Totals(projects=30, files=100, bytes=1000)
    few = removals(projects=5, files=90, bytes=990, touched=5)
    assert weigh_announced(few, GUARD, held=held) == []
    assert len(weigh_announced(replace(few, touched=6), GUARD, held=held)) == 3
    assert weigh_announced(replace(few, touched=1), dataclasses.replace(GUARD, always_allowed=0), held=held)


@pytest.mark.parametrize(
    ("projects", "lately", "held", "is_over"),
    [
        (1, 0, 40, False),
        (1, 9, 40, False),
        (1, 10, 40, True),
        (0, 99, 40, False),
        (11, None, 4000, False),
        (5, 4995, 95_005, False),
        (6, 4995, 95_005, True),
    ],
)
def test_both_weightings_have_the_budget_of_a_week(
    projects: int, lately: int | None, held: int, is_over: bool
) -> None:
    lost, totals = removals(projects=projects), Totals(projects=held)
    lenient = dataclasses.replace(GUARD, max_percent=100)
    said = weigh_announced(lost, lenient, held=totals, lately=lately)
    assert bool(said) is is_over
    if lately is not None:
        by_pages = weigh_silent(lost, lenient, asked_for=lambda: totals, held=lambda: totals, lately=lately)
        assert by_pages == said


def test_another_upstream_removes_no_project_unasked() -> None:
    one, page = removals(projects=1), removals(files=1)
    assert weigh_announced(one, GUARD, held=BIG) == []
    assert weigh_announced(one, GUARD, held=BIG, is_another=True) != []
    assert weigh_announced(page, GUARD, held=BIG, is_another=True) == []


def losing(
    name: str = "foo",
    *,
    is_gone: bool = False,
    is_emptied: bool = False,
    files: int = 1,
    serial: int | None = 10,
) -> Losing:
    planned = PlannedProject(
        project=NormalizedName(name), display_name=name, action=Action.SYNC, reason="test"
    )
    return Losing(
        planned=planned,
        loss=Loss(project=is_gone or is_emptied, files=files, bytes=10 * files),
        serial=serial,
        is_gone=is_gone,
    )


def event(action: str, serial: int = 11, project: str = "foo") -> Event:
    return Event(
        serial=serial, name=project, project=NormalizedName(project), version=None, timestamp=0, action=action
    )


SMALL = Totals(projects=6, files=6, bytes=60)
LARGE = Totals(projects=10_000, files=100_000, bytes=1_000_000)


def held_back(losing: list[Losing], asked_for: Totals, *events: Event, before: int = 0) -> list[Failed]:
    """Those that are withheld of a run that asks for ``asked_for`` and has found ``before`` gone before."""
    silent = unannounced(losing, events)
    if not silent:
        return []
    lost = Lost(
        touched=before + len(silent),
        projects=before + sum(each.loss.project for each in silent),
        files=sum(each.loss.files for each in silent),
        bytes=sum(each.loss.bytes for each in silent),
    )
    over = weigh_silent(lost, GUARD, asked_for=lambda: asked_for, held=lambda: LARGE, lately=0)
    return withheld(silent, lost, over) if over else []


@pytest.mark.parametrize("is_gone", [False, True])
@pytest.mark.parametrize(
    ("action", "serial", "explains"),
    [
        ("remove project", 11, (True, True)),
        ("remove project", 10, (False, False)),
        ("remove release", 11, (True, False)),
        ("remove file a.whl", 11, (True, False)),
        ("release quarantined", 11, (True, False)),
        ("remove Owner alice", 11, (False, False)),
        ("new release", 11, (False, False)),
        ("yank release", 11, (False, False)),
    ],
)
def test_events_explain_what_came_after_the_page_we_have(
    action: str, serial: int, explains: tuple[bool, bool], is_gone: bool
) -> None:
    found = held_back([losing(is_gone=is_gone)], SMALL, event(action, serial), before=5)
    assert bool(found) is not explains[is_gone]


def test_any_event_explains_what_a_page_without_a_serial_lost() -> None:
    assert held_back([losing(serial=None)], SMALL, event("remove release", 1), before=5) == []


def many(number: int, **what: Any) -> list[Losing]:
    return [losing(f"p{each}", **what) for each in range(number)]


@pytest.mark.parametrize(
    ("projects", "totals", "is_too_much"),
    [
        (many(5, is_gone=True), SMALL, False),
        (many(6, is_gone=True), SMALL, True),
        (many(6, is_gone=True), LARGE, False),
        (many(101, is_gone=True), LARGE, True),
        (many(101), LARGE, False),
        (many(600, is_gone=True), Totals(projects=10**6, files=10**7, bytes=10**8), True),
        (many(6, files=200), LARGE, True),
        (many(5, files=200_000), LARGE, False),
    ],
    ids=["always allowed", "all", "a few of many", "projects", "files left", "600", "files", "few projects"],
)
def test_beyond_the_limits_all_are_withheld_and_within_them_none(
    projects: list[Losing], totals: Totals, is_too_much: bool
) -> None:
    found = held_back(projects, totals)
    assert [each.planned for each in found] == ([e.planned for e in projects] if is_too_much else [])
    assert {each.error for each in found} <= {"LossHeld"}
    assert not any(each.files for each in found), "their pages stay as they were"


def test_what_an_event_announced_goes_on_beside_what_is_withheld() -> None:
    announced = losing("announced", is_gone=True)
    found = held_back([*many(6, is_gone=True), announced], SMALL, event("remove project", 11, "announced"))
    assert [each.planned.project for each in found] == [f"p{each}" for each in range(6)]


def test_the_guard_asks_for_no_sum_that_it_does_not_need() -> None:
    def never() -> Totals:
        raise AssertionError

    lost = removals(projects=5)
    assert weigh_silent(lost, GUARD, asked_for=never, held=never, lately=0) == []


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"is_gone": True}, "upstream's page is gone; the mirror's lists 1 file (10 bytes)"),
        (
            {"is_emptied": True},
            "upstream's page is empty; the mirror's lists 1 file (10 bytes)",
        ),
        ({"files": 2}, "upstream's page lost 2 files (20 bytes)"),
    ],
)
def test_a_withheld_project_says_what_it_loses_and_how_to_follow_upstream(
    what: dict[str, Any], said: str
) -> None:
    [found] = held_back([losing(**what)], SMALL, before=5)
    assert found.reason.startswith(
        f"{said}, and no event or index announced it. 6 projects are affected, more than [removal]"
    )
    assert "`pypi-mirror sync foo` follows it" in found.reason
