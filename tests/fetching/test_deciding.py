"""What a project's next page takes and loses, by upstream's page, policy and what the mirror has."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.fetching.deciding import Before, Decider, Work
from pypi_mirror.ledger.projects import QUARANTINED, REMOVED, REMOVING, KnownFile, KnownProject
from pypi_mirror.model import Action, Loss, PlannedProject, ProjectPage, ProjectStatus, RemoteFile
from tests.policies import policy

NAME = NormalizedName("foo")
PLANNED = PlannedProject(project=NAME, display_name="foo", action=Action.SYNC, reason="test", serial=11)
A, B, C = (f"foo-{number}-py3-none-any.whl" for number in (1, 2, 3))
WINDOWS = "foo-1-cp311-cp311-win32.whl"


def known(status: str = "active") -> KnownProject:
    return KnownProject(
        id=1, project=NAME, display_name="foo", serial=10, seen_serial=10, made_entry=None,
        made_decision=None, status=status, selection="", files=2, bytes=20, dropped_files=0, dropped_bytes=0,
    )  # fmt: skip


def files(*names: str, removed_at: int | None = None) -> dict[str, KnownFile]:
    return {
        name: KnownFile(
            filename=name, location=b"", sha256=b"", size=10, metadata_sha256=None, provenance=False,
            uploaded_at=None, removed_at=removed_at,
        )
        for name in names
    }  # fmt: skip


def before(have: dict[str, KnownFile] | None = None, *, status: str = "active") -> Before:
    """The mirror has a page of ``have``, or of two files."""
    return Before(project=known(status), files=files(A, B) if have is None else have)


NOTHING = Before(project=None, files={})


def remote(filename: str, size: int | None = 100, *, place: str = "ab", sha256: str = "cd") -> RemoteFile:
    digest = place * 32
    return RemoteFile(
        filename=filename,
        url=f"https://files.example/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{filename}",
        hashes=(("sha256", sha256 * 32),) if sha256 else (),
        size=size,
    )


def page(*named: str | RemoteFile, status: str = "active") -> ProjectPage:
    return ProjectPage(
        name=NAME,
        serial=11,
        etag=None,
        status=ProjectStatus(status=status),
        files=tuple(remote(each) if isinstance(each, str) else each for each in named),
    )


def decider(
    web: Path | None = Path("/nowhere"),
    *,
    rendering: str = "look",
    ours: Callable[[NormalizedName], Mapping[str, RemoteFile]] | None = None,
    **selection: Any,
) -> Decider:
    selection = {"exclude_filename": "win32", **selection}
    return Decider(policy(**selection), ours or our_page, rendering=rendering, web=web)


def our_page(_project: NormalizedName) -> dict[str, RemoteFile]:
    """What our own page says of each file that it may list."""
    return {name: remote(name) for name in (A, B, C, WINDOWS)}


def work(
    upstream: ProjectPage | None,
    have: Before | None = None,
    planned: PlannedProject = PLANNED,
    **options: Any,
) -> Work:
    if have is NOTHING:
        options = {"ours": lambda _: {}, **options}
    return decider(**options).work(planned, before() if have is None else have, upstream)


# What it takes.


def test_files_that_the_mirror_has_not_are_new() -> None:
    assert work(page(A, B)) == Work()
    assert work(page(A, B, C)) == Work(new_files=1, new_bytes=100)
    assert work(page(A, B), NOTHING) == Work(new_files=2, new_bytes=200)
    assert work(page(), NOTHING) == Work()
    assert work(None, NOTHING) == Work()


def test_files_of_unknown_size_count_as_such() -> None:
    found = work(page(remote(A, None), remote(B, None), remote(C, 0)), NOTHING)
    assert found == Work(new_files=3, new_bytes=0, unsized_files=2)


def test_what_policy_drops_is_not_new() -> None:
    assert work(page(A, WINDOWS), NOTHING) == Work(new_files=1, new_bytes=100)


def test_a_file_that_went_lies_in_the_pool_until_it_is_swept() -> None:
    assert work(page(A, B), before(files(A) | files(B, removed_at=1))) == Work()


def lying(web: Path, file: RemoteFile, content: bytes) -> None:
    path = web / "packages/ab/ab" / ("ab" * 30) / file.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "content", "new"),
    [
        (remote(A, 3), b"abc", Work()),
        (remote(A, 4), b"abc", Work(new_files=1, new_bytes=4)),
        (remote(A, 3, place="ef"), b"abc", Work(new_files=1, new_bytes=3)),
        (remote(A, None), b"abc", Work(new_files=1, unsized_files=1)),
        (
            replace(remote(A, 3, sha256=""), url="https://files.example/a"),
            b"abc",
            Work(new_files=1, new_bytes=3),
        ),
    ],
    ids=["there", "cut off", "elsewhere", "of unknown size", "at a place that its digest says"],
)
def test_what_lies_in_the_pool_is_not_new_though_the_ledger_has_forgotten_it(
    tmp_path: Path, file: RemoteFile, content: bytes, new: Work
) -> None:
    lying(tmp_path, file, content)
    assert work(page(file), NOTHING, web=tmp_path) == new


def test_nothing_is_new_where_files_are_not_mirrored() -> None:
    assert work(page(A, remote(B, None)), NOTHING, web=None) == Work()


# What it loses of a page that the ledger does not know: another tool's, or that of a lost ledger.


def test_what_a_found_page_lists_and_ours_will_not_is_lost() -> None:
    """Whoever takes it off: what upstream announced meanwhile, nobody knows."""
    assert work(page(A, B, C, WINDOWS), NOTHING, ours=our_page).loses_files == 1
    assert work(page(A, WINDOWS), NOTHING, ours=our_page).loses_files == 3
    assert work(page(A), NOTHING, ours=our_page).loses_files == 3
    assert work(page(A, B, C), NOTHING, ours=our_page, exclude_filename="nothing").loses_files == 1
    assert work(page(A, B, C, WINDOWS), NOTHING, ours=our_page).loses_bytes == 100


def test_of_a_found_page_that_goes_all_is_lost() -> None:
    gone = replace(PLANNED, action=Action.REMOVE, serial=None, loses_project=True)
    whole = Work(loses_project=True, loses_files=4, loses_bytes=400)
    assert work(None, NOTHING, gone, ours=our_page) == whole
    assert work(None, NOTHING, gone) == Work(loses_project=True), "its page cannot be read"


def test_the_disk_says_how_large_a_file_is_where_the_page_does_not(tmp_path: Path) -> None:
    lying(tmp_path, remote(A), b"abc")
    listed = {A: remote(A, None), B: remote(B, None, place="ef")}
    found = work(page(C), NOTHING, web=tmp_path, ours=lambda _: listed)
    assert (found.loses_files, found.loses_bytes) == (2, 3)


# What it loses by policy.


def test_what_policy_takes_off_our_page_is_lost() -> None:
    have = files(A, WINDOWS)
    assert work(page(A, WINDOWS), before(have)) == Work(loses_files=1, loses_bytes=10)
    gone_there_too = work(page(A), before(have))
    assert gone_there_too == Work(loses_files=1, loses_bytes=10), "policy takes it whatever upstream has"
    assert work(page(A, WINDOWS), before(files(A) | files(WINDOWS, removed_at=1))) == Work()
    assert work(page(A, WINDOWS), before(have, status=REMOVING)).loses_files == 0


def test_of_what_upstream_says_nothing_policy_decides_by_our_own_page() -> None:
    assert decider().unread_work(before(files(A, WINDOWS))) == Work(loses_files=1, loses_bytes=10)
    damaged = Decider(policy(exclude_filename="win32"), no_page, rendering="look", web=None)
    assert damaged.unread_work(before(files(A, WINDOWS))) == Work()
    found = damaged.work(PLANNED, before(files(A, WINDOWS)), page(A))
    assert found.silent == Loss(project=False, files=1, bytes=10)


def no_page(_project: NormalizedName) -> dict[str, RemoteFile]:
    return {}


def test_what_policy_and_upstream_take_is_told_apart() -> None:
    found = work(page(A, C), before(files(A, B, WINDOWS)))
    assert found == Work(
        new_files=1,
        new_bytes=100,
        loses_files=1,
        loses_bytes=10,
        silent=Loss(project=False, files=1, bytes=10),
    )


REMOVAL = PlannedProject(
    project=NAME, display_name="foo", action=Action.REMOVE, reason="", loses_project=True, loses_files=2,
    loses_bytes=20,
)  # fmt: skip
GONE = replace(REMOVAL, action=Action.SYNC, gone=True, serial=11)
LOSES_ALL = Work(loses_project=True, loses_files=2, loses_bytes=20)


@pytest.mark.parametrize("upstream", [None, page(), page(A, B, C)])
def test_what_the_plan_removes_goes_whatever_upstream_has(upstream: ProjectPage | None) -> None:
    assert work(upstream, planned=REMOVAL) == LOSES_ALL


def test_what_is_announced_as_gone_is_lost_as_announced() -> None:
    assert work(None, planned=GONE) == LOSES_ALL
    assert work(page(), planned=GONE) == LOSES_ALL
    assert work(page(status=QUARANTINED), planned=GONE) == LOSES_ALL
    late = replace(GONE, loses_project=False, loses_files=0, loses_bytes=0)
    assert work(None, NOTHING, planned=late) == Work()


def test_a_project_that_goes_is_lost_whatever_its_row_said_before() -> None:
    """The backlog plans it without its losses; and upstream may have had a page of it when it was decided."""
    again = replace(GONE, loses_project=False, loses_files=0, loses_bytes=0)
    assert work(None, planned=again) == LOSES_ALL
    assert work(None, before({}, status=QUARANTINED), planned=again) == Work(), "readers have lost it"
    loss = decider().silent_loss(again, before(), None)
    assert loss == Loss(project=True, files=2, bytes=20), "no plan has weighed it"
    assert decider().silent_loss(GONE, before(), None) is None
    assert decider().silent_loss(again, before({}, status=QUARANTINED), None) is None


def test_a_page_with_files_contradicts_that_the_project_is_gone() -> None:
    assert work(page(A, B, C), planned=GONE) == Work(new_files=1, new_bytes=100)
    assert work(page(A), planned=GONE).silent == Loss(project=False, files=1, bytes=10)


# What it loses and nothing announced.


def silent(
    upstream: ProjectPage | None, have: Before | None = None, planned: PlannedProject = PLANNED
) -> Loss | None:
    found = work(upstream, have, planned)
    assert decider().silent_loss(planned, before() if have is None else have, upstream) == found.silent
    return found.silent


def test_what_the_page_lists_no_longer() -> None:
    assert silent(page(A, B, C)) is None
    assert silent(page(A)) == Loss(project=False, files=1, bytes=10)
    assert silent(page(C)) == Loss(project=False, files=2, bytes=20)
    assert silent(page()) == Loss(project=True, files=2, bytes=20)
    assert silent(None) == Loss(project=True, files=2, bytes=20)


def test_a_page_without_files_can_be_gone_and_not_emptied() -> None:
    assert silent(page(), before({})) is None
    assert silent(None, before({})) == Loss(project=True, files=0, bytes=0)


def test_tombstones_and_what_filters_leave_out_are_not_lost() -> None:
    assert silent(page(A), before(files(A) | files(B, removed_at=1))) is None
    assert silent(page(A), before(files(A, WINDOWS))) is None
    assert silent(page(), before(files(WINDOWS))) is None
    assert silent(None, before(files(A, WINDOWS))) == Loss(project=True, files=1, bytes=10)


def test_a_quarantined_project_says_so_itself() -> None:
    assert work(page(status=QUARANTINED)) == Work(), "it comes back by itself, and is not weighed"
    assert silent(page(A, status=QUARANTINED)) is not None, "then it would list none"
    assert silent(page(status="archived")) is not None


@pytest.mark.parametrize("status", [REMOVING, REMOVED])
def test_what_was_not_here_cannot_be_lost(status: str) -> None:
    assert silent(None, NOTHING) is None
    assert silent(None, before(files(A, removed_at=1), status=status)) is None
    assert silent(page(), before(files(A), status=status)) is None


# What names a decision.


def test_a_decision_is_named_by_what_a_page_shows_of_upstreams_and_how() -> None:
    def named(*files: str, rendering: str = "look", **selection: Any) -> bytes:
        by = decider(rendering=rendering, **selection)
        return by.digest(by.decide(page(*files), NOTHING))

    one = named(A, B)
    assert len(one) == 16
    assert named(A, B, WINDOWS) == one, "what is dropped does not show"
    assert named(A, B, allowed_projects=frozenset({NAME})) == one, "another policy that decides alike"
    assert named(A, B, exclude_filename=None) == one
    assert named(A, B, WINDOWS, exclude_filename=None) != one
    assert named(A) != one
    assert named(A, C) != one
    assert named(A, B, rendering="another look") != one
