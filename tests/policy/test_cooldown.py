"""``[cooldown]``: which files wait, as a table; cutoffs as uv and pip have them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import NormalizedName

from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.options.exclude_newer import ExcludeNewer
from pypi_mirror.policy import Context, Policy
from pypi_mirror.policy.filters.cooldown_exclude_newer import Cooldown
from pypi_mirror.policy.filters.platform_exclude_filename import ExcludedFilenames
from pypi_mirror.policy.filters.releases_keep_latest import NewestReleases

NOW = 2_000_000_000
WAIT = 1_000
NAME = "a-1.0-py3-none-any.whl"
PROJECT = NormalizedName("a")


def said(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def file(uploaded: float | None, name: str = NAME) -> RemoteFile:
    return RemoteFile(filename=name, url="", upload_time=None if uploaded is None else said(uploaded))


def page(*files: RemoteFile) -> ProjectPage:
    return ProjectPage(name=PROJECT, serial=1, etag=None, files=files)


DURATION = ExcludeNewer(seconds=WAIT)


def policy(limit: ExcludeNewer = DURATION, *others: object) -> Policy:
    return Policy(Cooldown(exclude_newer=limit), *others)  # type: ignore[arg-type]


# When the file was uploaded, what is known of it, and when it is due; None where it is listed.
CASES: list[tuple[str, float | None, Context, int | None]] = [
    ("just uploaded", NOW, Context(), NOW + WAIT + 1),
    ("old enough", NOW - WAIT - 1, Context(), None),
    ("of the very cutoff, which is not before it", NOW - WAIT, Context(), NOW + 1),
    ("a fraction of a second before the cutoff", NOW - WAIT - 0.5, Context(), None),
    ("a fraction of a second after it", NOW - WAIT + 0.5, Context(), NOW + 1),
    ("of the future", NOW + 50, Context(), NOW + 50 + WAIT + 1),
    ("seen later than uploaded", 5, Context(seen={NAME: NOW - 10}), NOW - 10 + WAIT),
    ("seen long ago", NOW - 10, Context(seen={NAME: 5}), NOW - 10 + WAIT + 1),
    ("without an upload time", None, Context(), NOW + WAIT),
    ("without an upload time, seen before", None, Context(seen={NAME: NOW - WAIT}), None),
    ("of an upload time that is none", None, Context(seen={NAME: NOW}), NOW + WAIT),
    ("listed already", NOW, Context(listed=frozenset({NAME})), None),
    ("lifted by a person", NOW, Context(lifted=frozenset({NAME})), None),
]  # fmt: skip


@pytest.mark.parametrize(("why", "uploaded", "known", "due"), CASES, ids=[case[0] for case in CASES])
def test_a_file_waits(why: str, uploaded: float | None, known: Context, due: int | None) -> None:
    context = Context(as_of=NOW, listed=known.listed, seen=known.seen, lifted=known.lifted)
    decision = policy().decide(page(file(uploaded)), context)
    assert [each.due for each in decision.held] == ([] if due is None else [due]), why
    assert len(decision.kept) == (due is None)
    assert decision.dropped == ()


def test_nothing_is_listed_while_nobody_knows_what_time_it_is() -> None:
    assert policy().decide(page(file(NOW - 10 * WAIT))).kept == ()


@pytest.mark.parametrize(("ago", "is_kept"), [(1, True), (0, False), (-1, False)])
def test_with_a_date_what_is_newer_is_dropped(ago: int, is_kept: bool) -> None:
    decision = policy(ExcludeNewer(before=NOW)).decide(page(file(NOW - ago)), Context(as_of=NOW))
    assert (len(decision.kept), len(decision.dropped), decision.held) == (is_kept, not is_kept, ())


def test_what_waits_does_not_count_and_what_others_drop_does_not_wait() -> None:
    old, new = "a-1.0-py3-none-any.whl", "a-2.0-py3-none-any.whl"
    windows = "a-2.0-py3-none-win_amd64.whl"
    by = policy(
        ExcludeNewer(seconds=WAIT),
        NewestReleases(keep_latest=1),
        ExcludedFilenames(exclude_filename="win_amd64"),
    )
    decision = by.decide(
        page(file(NOW - 2 * WAIT, old), file(NOW, new), file(NOW, windows)), Context(as_of=NOW)
    )
    assert [each.filename for each in decision.kept] == [old]
    assert [each.file.filename for each in decision.held] == [new]
    assert [each.file.filename for each in decision.dropped] == [windows]


@given(
    uploaded=st.none() | st.floats(min_value=NOW - 5 * WAIT, max_value=NOW + 5 * WAIT),
    seen=st.none() | st.integers(min_value=NOW - 5 * WAIT, max_value=NOW),
    steps=st.lists(st.integers(min_value=-3 * WAIT, max_value=3 * WAIT), max_size=8),
)
def test_whatever_the_clock_does_nothing_is_early_and_what_is_due_is_listed(
    uploaded: float | None, seen: int | None, steps: list[int]
) -> None:
    known = {} if seen is None else {NAME: seen}
    now = NOW
    for step in steps:
        now += step
        decision = policy().decide(page(file(uploaded)), Context(as_of=now, seen=known))
        for each in decision.held:
            known = {NAME: each.since}
            assert now < each.due
        for _ in decision.kept:
            begun = [each for each in (uploaded, seen) if each is not None]
            assert not begun or now - WAIT > max(begun) - 1


def test_explain_names_the_cooldown_beside_all_others() -> None:
    by = policy(ExcludeNewer(seconds=WAIT), ExcludedFilenames(exclude_filename="none-any"))
    [refusals] = by.refusals(page(file(NOW)), Context(as_of=NOW)).values()
    assert [(each.setting, each.holds) for each in refusals] == [
        ("[platform] exclude-filename", False),
        ("[cooldown] exclude-newer", True),
    ]
