"""``[releases] released-within``: releases of the last years, and always the newest."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import BadValue
from pypi_mirror.options.durations import duration_of_days, format_duration
from pypi_mirror.options.environments import parse_environment
from pypi_mirror.options.exclude_newer import ExcludeNewer
from pypi_mirror.options.packages import parse_package
from pypi_mirror.policy import Context, Decision, Filter, Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.cooldown_exclude_newer import Cooldown
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.policy.filters.platform_exclude_filename import ExcludedFilenames
from pypi_mirror.policy.filters.releases_keep_latest import NewestReleases
from pypi_mirror.policy.filters.releases_released_within import RecentReleases
from tests.policies import page_of

FOO = canonicalize_name("foo")
DAY = 86_400
NOW = 20_000 * DAY
YEAR = 365


def file(version: str, days_ago: float | None, tags: str = "py3-none-any", **fields: str) -> RemoteFile:
    at = None if days_ago is None else datetime.fromtimestamp(NOW - days_ago * DAY, UTC).isoformat()
    return RemoteFile(filename=f"foo-{version}-{tags}.whl", url="", upload_time=at, **fields)


def decide(files: list[RemoteFile], *others: Filter, days: int = YEAR, now: int = NOW) -> Decision:
    rule = RecentReleases(released_within=days * DAY)
    return Policy(rule, *others).decide(page_of(FOO, files), Context(as_of=now, planned_at=now))


def versions(files: list[RemoteFile], *others: Filter, now: int = NOW) -> list[str]:
    return [each.filename.split("-")[1] for each in decide(files, *others, now=now).kept]


@pytest.mark.parametrize(
    ("why", "there", "expected"),
    [
        ("the old ones leave", "1.0:800 2.0:400 3.0:100 4.0:1", "3.0 4.0"),
        ("the newest stays however old", "1.0:2000 2.0:1500", "2.0"),
        ("the newest is one by version", "2.0:800 1.1:100 1.0:900", "2.0 1.1"),
        ("a pre-release does not keep a project alive", "1.0:800 2.0a1:700", "1.0 2.0a1"),
        ("an overtaken pre-release leaves", "1.0a1:800 1.0:700", "1.0"),
        ("builds of one release", "2.0+cpu:800 2.0+cu121:10 3.0:5", "3.0"),
        ("at the very moment it is too old", f"1.0:{YEAR} 2.0:1", "1.0 2.0"),
        ("a second later", f"1.0:{YEAR + 1 / DAY} 2.0:1", "2.0"),
        ("outside PEP 440", "2004d:800 0.1:700", "0.1"),
    ],
)
def test_which_releases_are_recent(why: str, there: str, expected: str) -> None:
    files = [
        file(version, float(days)) for version, _, days in (each.partition(":") for each in there.split())
    ]
    assert versions(files) == expected.split(), why


def test_a_release_is_as_old_as_its_first_file() -> None:
    files = [file("1.0", 800), file("1.0", 3, "cp313-cp313-win_amd64"), file("2.0", 1)]
    assert versions(files) == ["2.0"]
    assert versions(files, ExcludedFilenames(exclude_filename="none-any")) == ["1.0"]


def test_what_has_no_upload_time_or_no_version_stays() -> None:
    odd = RemoteFile(filename="odd.tar.gz", url="", upload_time="2000-01-01T00:00:00Z")
    kept = decide([file("1.0", None), file("2.0", 800), file("3.0", 1), odd]).kept
    assert [each.filename for each in kept] == [
        file("1.0", 0).filename,
        file("3.0", 0).filename,
        "odd.tar.gz",
    ]


def test_each_python_keeps_its_newest() -> None:
    files = [
        file("1.0", 900, "cp311-cp311-manylinux_2_17_x86_64"),
        file("2.0", 800, "cp311-cp311-manylinux_2_17_x86_64"),
        file("3.0", 700, "cp312-cp312-manylinux_2_17_x86_64"),
        file("4.0", 600, "cp312-cp312-win_amd64"),
    ]
    served = parse_environment("linux x86_64, CPython 3.11 to 3.12, glibc 2.28")
    assert versions(files, ServedEnvironments(environments=(served,))) == ["2.0", "3.0"]


def test_what_the_allowlist_pins_stays() -> None:
    pinned = AllowedPackages(packages=tuple(map(parse_package, ("foo", "foo==1.0"))))
    assert versions([file("1.0", 900), file("2.0", 800), file("3.0", 1)], pinned) == ["1.0", "3.0"]


def test_keep_latest_counts_what_is_recent() -> None:
    files = [file("6.0", 900), file("5.0", 800), file("4.1", 20), file("4.0", 10)]
    assert versions(files, NewestReleases(keep_latest=2)) == ["6.0", "4.1"]


def test_a_held_release_does_not_take_the_newest_listed_one_away() -> None:
    files = [file("1.0", 900), file("2.0", 1)]
    waiting = Cooldown(exclude_newer=ExcludeNewer(seconds=7 * DAY))
    assert versions(files, waiting) == ["1.0"]
    assert versions(files, waiting, now=NOW + 7 * DAY) == ["2.0"]


def test_the_reason_names_the_option_and_nothing_is_old_while_nobody_knows_the_time() -> None:
    files = [file("1.0", 400), file("2.0", 1)]
    rule = RecentReleases(released_within=YEAR * DAY)
    (dropped,) = decide(files).dropped
    assert dropped.reason == "[releases] released-within = 365 days, this release is of 2023-08-31 00:00 UTC"
    context = Context(as_of=NOW, planned_at=NOW)
    (refusal,) = Policy(rule).refusals(page_of(FOO, files), context)[files[0].filename]
    assert (refusal.setting, refusal.reason) == ("[releases] released-within", dropped.reason)
    assert len(Policy(rule).decide(page_of(FOO, files)).kept) == 2
    assert len(Policy(rule).decide(page_of(FOO, files), Context(as_of=NOW)).kept) == 2, (
        "the guard weighed less"
    )


@pytest.mark.parametrize("text", ["2 years", "soon", "12 hours", "200000 days", "-1 days"])
def test_a_bad_duration(text: str) -> None:
    with pytest.raises(BadValue):
        duration_of_days(1, 36_500)(text)


@pytest.mark.parametrize("text", ["730 days", "104 weeks", "P730D"])
def test_a_duration(text: str) -> None:
    assert duration_of_days(1, 36_500)(text) in {730 * DAY, 728 * DAY}
    assert duration_of_days(1, 36_500)(format_duration(730 * DAY)) == 730 * DAY


FILES = st.lists(
    st.builds(
        lambda version, days, tags, fields: file(version, days, tags, **fields),
        st.from_regex(r"[0-9](\.[0-9]){0,2}((a|rc)[0-9])?(\+x)?", fullmatch=True),
        st.none() | st.integers(-5, 1500),
        st.sampled_from(["py3-none-any", "cp312-cp312-win_amd64"]),
        st.sampled_from([{}, {"yanked": ""}]),
    ),
    max_size=25,
    unique_by=lambda each: each.filename,
)


@given(files=FILES, days=st.integers(1, 1000))
def test_it_keeps_whole_releases_and_never_empties_a_project(files: list[RemoteFile], days: int) -> None:
    decision = decide(files, days=days)
    assert bool(decision.kept) == bool(files)
    newest = decide(files, NewestReleases(keep_latest=1), days=days).kept
    assert newest == Policy(NewestReleases(keep_latest=1)).decide(page_of(FOO, files)).kept
    kept, dropped = (
        {name.split("-")[1].partition("+")[0] for name in names}
        for names in (
            [each.filename for each in decision.kept],
            [each.file.filename for each in decision.dropped],
        )
    )
    assert {*map(canonical, kept)}.isdisjoint(map(canonical, dropped))


def canonical(version: str) -> str:
    """``1.0`` and ``1`` are one release."""
    head, letter, tail = next(
        (version.partition(mark) for mark in ("a", "rc") if mark in version), (version, "", "")
    )
    while head.endswith(".0"):
        head = head.removesuffix(".0")
    return head + letter + tail


@given(files=FILES, days=st.integers(1, 1000), more=st.integers(0, 1000))
def test_a_longer_time_keeps_all_that_a_shorter_one_does(
    files: list[RemoteFile], days: int, more: int
) -> None:
    assert set(decide(files, days=days).kept) <= set(decide(files, days=days + more).kept)


@given(files=FILES, days=st.integers(1, 1000))
def test_nothing_changes_before_the_moment_that_is_named_and_something_does_then(
    files: list[RemoteFile], days: int
) -> None:
    now, decision = NOW, decide(files, days=days)
    for _ in range(len(files)):
        moment = decision.changes_at
        if moment is None:
            break
        assert moment > now
        assert decide(files, days=days, now=moment - 1).kept == decision.kept
        after = decide(files, days=days, now=moment)
        assert set(after.kept) < set(decision.kept)
        now, decision = moment, after
    assert decision.changes_at is None
    assert decide(files, days=days, now=now + 10_000 * DAY).kept == decision.kept
