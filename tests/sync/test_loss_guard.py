"""Losses that nothing announced: which events explain one, and when too many at once are withheld."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.ledger.losses import Losses, Lost
from pypi_mirror.ledger.projects import Totals
from pypi_mirror.model import Action, Event, Loss, PlannedProject
from pypi_mirror.settings.values import RemovalGuard
from pypi_mirror.sync.loss_guard import Losing, LossGuard

NAME = NormalizedName("foo")


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


class Sums:
    """Losses of a run that asks for ``asked_for``; ``before`` is what it found before."""

    def __init__(self, asked_for: Totals, before: int = 0) -> None:
        self.added: list[NormalizedName] = []
        self._asked_for = asked_for
        self._before = before

    def forget(self, names: Sequence[NormalizedName]) -> None:
        for name in names:
            self.added.remove(name)

    def add(self, losses: Mapping[NormalizedName, Loss]) -> Lost:
        self.added += losses
        return Lost(
            touched=self._before + len(losses),
            projects=self._before + sum(loss.project for loss in losses.values()),
            files=sum(loss.files for loss in losses.values()),
            bytes=sum(loss.bytes for loss in losses.values()),
        )

    def asked_for(self) -> Totals:
        return self._asked_for


SMALL = Totals(projects=6, files=6, bytes=60)
LARGE = Totals(projects=10_000, files=100_000, bytes=1_000_000)


def guard(
    sums: Sums,
    *events: Event,
    limits: RemovalGuard | None = RemovalGuard(),  # noqa: B008 - frozen
    weekly: Callable[[int], list[str]] = lambda _: [],
) -> LossGuard:
    return LossGuard(
        cast("Losses", sums),
        lambda names: [each for each in events if each.project in names],
        limits,
        weekly=weekly,
    )


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
    sums = Sums(SMALL, before=5)
    withheld = guard(sums, event(action, serial)).withheld([losing(is_gone=is_gone)])
    assert bool(withheld) is not explains[is_gone]
    assert sums.added == ([] if explains[is_gone] else [NAME]), "what is announced does not count"


def test_any_event_explains_what_a_page_without_a_serial_lost() -> None:
    assert guard(Sums(SMALL, before=5), event("remove release", 1)).withheld([losing(serial=None)]) == []


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
    withheld = guard(Sums(totals)).withheld(projects)
    assert [each.planned for each in withheld] == ([e.planned for e in projects] if is_too_much else [])
    assert {each.error for each in withheld} <= {"LossHeld"}
    assert not any(each.files for each in withheld), "their pages stay as they were"


def test_what_an_event_announced_goes_on_beside_what_is_withheld() -> None:
    announced = losing("announced", is_gone=True)
    withheld = guard(Sums(SMALL), event("remove project", 11, "announced")).withheld(
        [*many(6, is_gone=True), announced]
    )
    assert [each.planned.project for each in withheld] == [f"p{each}" for each in range(6)]


def test_what_a_week_has_lost_counts_whatever_a_run_does() -> None:
    asked: list[int] = []

    def weekly(projects: int) -> list[str]:
        asked.append(projects)
        return ["12 projects within 7 days"]

    [withheld] = guard(Sums(LARGE), weekly=weekly).withheld([losing(is_gone=True)])
    assert asked == [1]
    assert "12 projects within 7 days" in withheld.reason


def test_what_a_person_asks_for_by_name_follows_upstream() -> None:
    assert guard(Sums(SMALL), limits=None).withheld(many(6, is_gone=True)) == []


def test_nothing_is_weighed_where_nothing_is_lost() -> None:
    sums = Sums(SMALL)
    assert guard(sums).withheld([]) == []
    assert sums.added == []


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"is_gone": True}, "upstream has no page of it any more, the mirror has 1 file (10 bytes)"),
        (
            {"is_emptied": True},
            "upstream's page lists no file any more, the mirror's lists 1 file (10 bytes)",
        ),
        ({"files": 2}, "upstream's page lacks 2 files (20 bytes) that the mirror's lists"),
    ],
)
def test_a_withheld_project_says_what_it_loses_and_how_to_follow_upstream(
    what: dict[str, Any], said: str
) -> None:
    [withheld] = guard(Sums(SMALL, before=5)).withheld([losing(**what)])
    assert withheld.reason.startswith(
        f"{said}, and no event or index said so; so it is with 6 projects by now"
    )
    assert "`pypi-mirror sync foo` follows it" in withheld.reason
