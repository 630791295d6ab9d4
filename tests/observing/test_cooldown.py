"""What waits in cooldown: the sums, a page at a time, and of one project."""

from datetime import UTC, datetime, timedelta

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.cooldown import HeldFile, InCooldown, held_page
from pypi_mirror.observing.explain import FileState, explain
from pypi_mirror.observing.overview import overview
from pypi_mirror.observing.paging import BadKey
from pypi_mirror.observing.projects import project
from pypi_mirror.policy import Policy
from pypi_mirror.runs.publish_due import lift_named
from tests.runs.bench import Bench, MakeBench
from tests.runs.test_cooldown import DAY, cooldown, upload

DUE_LAST = "beta_b-1.0-py3-none-any.whl"


@pytest.fixture
def made(bench: MakeBench) -> Bench:
    """Files of three projects wait: alpha's for two days, gamma's for four, beta-b's for seven."""
    made = bench(policy=Policy(cooldown()))
    for days, name, version in (
        (0, "alpha", "1.0"),
        (0, "alpha", "2.0"),
        (2, "gamma", "1.0"),
        (3, "beta-b", "1.0"),
    ):
        made.clock.advance(days=days)
        upload(made, version, name=name)
        made.sync()
    return made


def pages(mirror: Mirror, limit: int, query: str = "") -> list[HeldFile]:
    found: list[HeldFile] = []
    after = None
    while True:
        page = held_page(mirror, query, after, limit)
        found += page.items
        after = page.next
        if after is None:
            return found


def test_the_files_in_the_order_in_which_they_are_due(made: Bench) -> None:
    with made.open() as mirror:
        whole, pieces = pages(mirror, 50), pages(mirror, 1)
    assert whole == pieces
    assert [(each.project, each.filename.split("-")[1]) for each in whole] == [
        ("alpha", "1.0"),
        ("alpha", "2.0"),
        ("gamma", "1.0"),
        ("beta-b", "1.0"),
    ]
    assert all(each.size for each in whole)
    assert abs(whole[-1].due_at.timestamp() - made.clock.now - 7 * DAY) < 3600
    assert whole[0].due_at < datetime.fromtimestamp(made.clock.now, UTC) + timedelta(days=3)


@pytest.mark.parametrize(
    ("query", "found"),
    [("ALPHA", 2), ("beta_b", 1), ("a-2.0", 1), ("Beta.B", 1), ("%", 0), ("_", 1), ("whl", 4), (" gam ", 1)],
)
def test_a_search_by_project_or_file(made: Bench, query: str, found: int) -> None:
    with made.open() as mirror:
        assert len(pages(mirror, 50, query)) == found


def test_who_lifted_the_cooldown_of_a_file_and_why(made: Bench) -> None:
    with made.open() as mirror:
        lift_named(mirror, [(NormalizedName("beta-b"), DUE_LAST)], by="Ada", why="fixes a hole")
        last = pages(mirror, 50)[-1]
        (explained,) = explain(mirror, NormalizedName("beta-b")).files
    assert (last.filename, last.lifted_by, last.reason) == (DUE_LAST, "Ada", "fixes a hole")
    assert last.lifted_at is not None
    assert (explained.state, explained.mirrored) == (FileState.HELD, True)


def test_the_sums_and_those_of_one_project(made: Bench) -> None:
    with made.open() as mirror:
        seen = overview(mirror)
        first = pages(mirror, 1)[0]
        of_alpha = project(mirror, NormalizedName("alpha")).cooldown
        assert project(mirror, NormalizedName("unheard-of")).cooldown == ()
    assert seen.cooldown == InCooldown(files=4, projects=3, next_due_at=first.due_at)
    assert [each.filename.split("-")[1] for each in of_alpha] == ["1.0", "2.0"]


def test_where_nothing_waits(bench: MakeBench) -> None:
    with bench().open() as mirror:
        assert overview(mirror).cooldown == InCooldown(files=0, projects=0, next_due_at=None)
        assert held_page(mirror).items == ()


@pytest.mark.parametrize("key", ["", "x", "1/2", "1/a/b/c", "-1/a/b", f"{'9' * 30}/a/b", "１/a/b"])
def test_a_key_that_is_none_of_ours_is_refused(bench: MakeBench, key: str) -> None:
    with bench().open() as mirror, pytest.raises(BadKey, match="use the `next` of the page before"):
        held_page(mirror, after=key)
