"""What counts as a loss that nobody foresaw, and which events explain one."""

from collections.abc import Mapping
from typing import cast

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.filters import build_selector
from pypi_mirror.ledger.losses import Losses, Lost
from pypi_mirror.ledger.projects import REMOVED, KnownFile, KnownProject, Totals
from pypi_mirror.ledger.results import Failed, Synced
from pypi_mirror.model import Action, Event, Loss, PlannedProject
from pypi_mirror.settings.values import RemovalGuard, Selection
from pypi_mirror.sync.unforeseen import LossGuard, unforeseen_loss

NAME = NormalizedName("foo")
PLANNED = PlannedProject(project=NAME, display_name="foo", action=Action.SYNC, reason="test")
SELECTOR = build_selector(Selection(exclude_filename="win32"))


def known(status: str = "active", serial: int | None = 10) -> KnownProject:
    return KnownProject(
        id=1, project=NAME, display_name="foo", serial=serial, seen_serial=serial, etag=None, status=status,
        selection="", files=2, bytes=20, dropped_files=0, dropped_bytes=0,
    )  # fmt: skip


def files(*names: str, removed_at: int | None = None) -> list[KnownFile]:
    return [
        KnownFile(
            filename=name, location=b"", sha256=b"", size=10, metadata_sha256=None, provenance=False,
            uploaded_at=None, removed_at=removed_at,
        )
        for name in names
    ]  # fmt: skip


def loss(
    *upstream: str,
    gone: bool = False,
    have: list[KnownFile] | None = None,
    project: KnownProject | None = None,
    planned: PlannedProject = PLANNED,
    status: str = "active",
) -> Loss | None:
    return unforeseen_loss(
        planned,
        project or known(),
        files("a.whl", "b.whl") if have is None else have,
        SELECTOR,
        upstream=None if gone else set(upstream),
        status=status,
    )


def test_what_the_page_lists_no_longer() -> None:
    assert loss("a.whl", "b.whl", "new.whl") is None
    assert loss("a.whl") == Loss(project=False, files=1, bytes=10)
    assert loss("new.whl") == Loss(project=False, files=2, bytes=20)
    assert loss() == Loss(project=True, files=2, bytes=20)
    assert loss(gone=True) == Loss(project=True, files=2, bytes=20)


def test_a_page_without_files_can_be_gone_and_not_emptied() -> None:
    assert loss(have=[]) is None
    assert loss(gone=True, have=[]) == Loss(project=True, files=0, bytes=0)


def test_tombstones_and_what_filters_leave_out_are_not_lost() -> None:
    assert loss("a.whl", have=files("a.whl") + files("b.whl", removed_at=1)) is None
    assert loss("a.whl", have=files("a.whl", "b-win32.whl")) is None
    assert loss(have=files("a-win32.whl")) is None
    assert loss(gone=True, have=files("a.whl", "b-win32.whl")) == Loss(project=True, files=1, bytes=10)


def test_a_quarantined_project_says_so_itself() -> None:
    assert loss(status="quarantined") is None
    assert loss("a.whl", status="quarantined") is not None, "then it would list none"
    assert loss(status="archived") is not None


@pytest.mark.parametrize(
    "planned",
    [
        PlannedProject(project=NAME, display_name="foo", action=Action.SYNC, reason="", loses_project=True),
        PlannedProject(project=NAME, display_name="foo", action=Action.REMOVE, reason=""),
    ],
)
def test_what_the_plan_removes_was_weighed_there(planned: PlannedProject) -> None:
    assert loss(gone=True, planned=planned) is None
    assert loss(planned=planned) is None


def test_what_was_not_here_cannot_be_lost() -> None:
    assert unforeseen_loss(PLANNED, None, [], SELECTOR, upstream=None) is None
    assert loss(gone=True, project=known(REMOVED), have=files("a.whl", removed_at=1)) is None


class Full:
    """Losses that are always one too many."""

    def __init__(self) -> None:
        self.added: list[NormalizedName] = []

    def add(self, losses: Mapping[NormalizedName, Loss]) -> Lost:
        self.added += losses
        return Lost(touched=6, projects=6, files=6, bytes=6)

    def asked_for(self) -> Totals:
        return Totals(projects=6, files=6, bytes=6)


@pytest.mark.parametrize("removed", [False, True])
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
    action: str, serial: int, explains: tuple[bool, bool], removed: bool
) -> None:
    event = Event(serial=serial, name="Foo", project=NAME, version=None, timestamp=0, action=action)
    losses = Full()
    guard = LossGuard(cast("Losses", losses), lambda _: [event], RemovalGuard())
    synced = Synced(
        planned=PLANNED, known=known(), removed=removed, loss=Loss(project=removed, files=1, bytes=1)
    )
    (result,) = guard([synced])
    assert isinstance(result, Failed) is not explains[removed]
    assert losses.added == ([] if explains[removed] else [NAME]), "what is announced does not count"
