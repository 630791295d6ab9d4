"""Which projects a run looks at and why, held to naive implementations of the same rules."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from packaging.utils import NormalizedName, canonicalize_name

from pypi_mirror.ledger.projects import QUARANTINED, REMOVED, REMOVING, KnownProject
from pypi_mirror.model import Action, Event, IndexEntry
from pypi_mirror.planning.plan import (
    MAX_BATCHES,
    candidates,
    cut,
    plan_candidate,
    plan_from_index,
    plan_named,
)

NAMES = [NormalizedName(n) for n in ("a", "a-b", "a1", "ab", "b", "z-z")]
ROLES = ("add Owner alice", "remove Maintainer bob", "change Owner carol", "invite Maintainer dave")
CONTENT = (
    "create", "new release", "add source file a-1.tar.gz", "add py3 file a-1-py3-none-any.whl",
    "yank release", "remove release", "something new in 2031", "add Owner of files",
)  # fmt: skip
REMOVE = "remove project"


class Refusing:
    """A selector that leaves out what it was told to."""

    def __init__(self, *refused: NormalizedName) -> None:
        self.refused = frozenset(refused)

    def rejection_reason(self, project: NormalizedName) -> str | None:
        return "blocked by a test" if project in self.refused else None


def have(project: str, **fields: object) -> KnownProject:
    known = KnownProject(
        id=1, project=NormalizedName(project), display_name=project, serial=5, seen_serial=5, made_entry=None,
        made_decision=None, status="active", selection="now", files=1, bytes=10, dropped_files=0,
        dropped_bytes=0,
    )  # fmt: skip
    return replace(known, **fields)  # type: ignore[arg-type]  # a test's own words


def event(serial: int, action: str, display_name: str = "a", version: str | None = None) -> Event:
    return Event(
        serial=serial,
        name=display_name,
        project=canonicalize_name(display_name),
        version=version,
        timestamp=serial,
        action=action,
    )


# candidates: what events speak of

_events = st.lists(
    st.tuples(
        st.sampled_from((*ROLES, *CONTENT, REMOVE, REMOVE)),
        st.sampled_from(("a", "A", "a.b", "A_B", "b")),
    ),
    max_size=12,
).map(lambda rows: [event(serial, action, name) for serial, (action, name) in enumerate(rows, 1)])


@given(_events, st.sets(st.sampled_from(("a", "a-b", "b"))))
def test_the_last_event_that_can_change_a_page_decides(events: list[Event], refused: set[str]) -> None:
    selector = Refusing(*(NormalizedName(n) for n in refused))
    found = candidates(iter(events), selector)
    naive = {}
    for e in events:
        if e.action not in ROLES:
            naive[e.project] = e
    expected = [naive[p] for p in sorted(naive) if p not in refused]
    assert [(c.project, c.display_name, c.serial, c.gone, c.reason) for c in found] == [
        (e.project, e.name, e.serial, e.action == REMOVE, f"upstream: {e.action}") for e in expected
    ]


def test_removed_and_created_again_is_there() -> None:
    [found] = candidates([event(1, REMOVE), event(2, "create"), event(3, ROLES[0])], Refusing())
    assert (found.gone, found.serial) == (False, 2)


def test_a_role_that_changes_after_the_removal_brings_nothing_back() -> None:
    [found] = candidates([event(1, REMOVE), event(2, "remove Owner alice")], Refusing())
    assert (found.gone, found.serial) == (True, 1)


def test_what_is_done_about_a_candidate() -> None:
    [there] = candidates([event(9, "new release", "A")], Refusing())
    [gone] = candidates([event(9, REMOVE, "A")], Refusing())

    def plan(candidate: object, known: KnownProject | None) -> tuple[object, ...] | None:
        made = plan_candidate(candidate, known)  # type: ignore[arg-type]  # one of the two above
        return None if made is None else (made.action, made.serial, made.exact, made.gone, made.loses_bytes)

    sync = (Action.SYNC, 9, True, False, 0)
    assert plan(there, None) == sync
    assert plan(there, have("a", serial=8)) == sync
    assert plan(there, have("a", serial=None)) == sync
    assert plan(there, have("a", serial=9, display_name="A")) is None, "the page is of that event already"
    assert plan(there, have("a", serial=9)) == sync, "and does not say that it is called A now"
    assert plan(there, have("a", serial=8, seen_serial=12)) == sync, "seen is not held"
    assert plan(there, have("a", serial=8, status=QUARANTINED)) == sync, "it may be cleared"
    for status in (REMOVING, REMOVED):
        assert plan(there, have("a", serial=None, status=status)) == sync
        assert plan(gone, have("a", serial=None, status=status)) is None
    assert plan(gone, None) is None
    late = plan_candidate(gone, None, waiting=True)
    assert late is not None, "or the backlog would bring back an old copy of its page"
    assert (late.serial, late.exact, late.gone, late.loses_project) == (9, True, True, False)
    assert plan(gone, have("a", serial=8)) == (Action.SYNC, 9, True, True, 10)
    assert plan(gone, have("a", serial=11)) is None, "it was created again, and we have that page"
    for candidate in (there, gone):
        made = plan_candidate(candidate, have("a", serial=8))
        assert made is not None
        assert not made.unread, "a page that was read since the event serves"


# plan_from_index: what a comparison finds

_entry = st.builds(
    lambda serial, upper: (serial, upper),
    st.none() | st.integers(1, 4),
    st.booleans(),
)
_known = st.builds(
    dict,
    serial=st.none() | st.integers(1, 4),
    seen_serial=st.none() | st.integers(1, 4),
    status=st.sampled_from(("active", "archived", QUARANTINED, REMOVING, REMOVED)),
    selection=st.sampled_from(("now", "now", "before")),
)


def _naive(
    project: NormalizedName,
    entry: IndexEntry | None,
    known: KnownProject | None,
    refused: bool,
    recheck: bool,
) -> tuple[Action, bool] | None:
    """The rules, one after the other: what to do, and whether upstream is expected to have it no more."""
    if known is not None and known.status in (REMOVING, REMOVED):
        known = None
    if refused:
        return None if known is None else (Action.REMOVE, False)
    if entry is None and known is None:
        return None
    if entry is None:
        # What was quarantined may have been removed since: neither is in an index.
        return Action.SYNC, True
    up_to_date = (
        known is not None
        and not recheck
        and known.selection == "now"
        and known.status != QUARANTINED
        and entry.name == known.display_name
        and entry.serial is not None
        and known.seen_serial is not None
        and entry.serial <= known.seen_serial
        # An index of serial 9 that has an older one than was seen before went back.
        and not entry.serial < known.seen_serial <= 9
    )
    return None if up_to_date else (Action.SYNC, False)


@given(
    entries=st.dictionaries(st.sampled_from(NAMES), _entry),
    ledger=st.dictionaries(st.sampled_from(NAMES), _known),
    refused=st.sets(st.sampled_from(NAMES), max_size=3),
    recheck=st.booleans(),
)
def test_comparing_the_index_with_the_ledger(
    entries: dict[NormalizedName, tuple[int | None, bool]],
    ledger: dict[NormalizedName, dict[str, object]],
    refused: set[NormalizedName],
    recheck: bool,
) -> None:
    index = {
        n: IndexEntry(name=n.upper() if upper else n, project=n, serial=serial)
        for n, (serial, upper) in entries.items()
    }
    held = {n: have(n, **fields) for n, fields in ledger.items()}
    plan = list(
        plan_from_index(
            (index[n] for n in sorted(index)),
            (held[n] for n in sorted(held)),
            Refusing(*refused),
            fingerprint="now",
            recheck=recheck,
            serial=9,
        )
    )
    naive = {
        n: done
        for n in sorted(NAMES)
        if (done := _naive(n, index.get(n), held.get(n), n in refused, recheck)) is not None
    }
    assert {p.project: (p.action, p.gone) for p in plan} == naive
    assert [p.project for p in plan] == list(naive), "by name, each once"
    for p in plan:
        entry = index.get(p.project) if p.action is Action.SYNC else None
        assert p.serial == (9 if p.gone else None if entry is None else entry.serial)
        assert p.loses_project == (
            p.action is Action.REMOVE or (p.gone and held[p.project].status != QUARANTINED)
        )
        assert not p.exact, "role events move the index's serials and leave pages behind"
        if p.action is Action.SYNC and not p.gone:
            in_ledger = held.get(p.project)
            has_gone_back = (
                entry is not None
                and in_ledger is not None
                and (entry.serial or 9) < (in_ledger.seen_serial or 0)
            )
            doubted = (
                in_ledger is not None
                and in_ledger.present
                and (in_ledger.status == QUARANTINED or has_gone_back)
            )
            assert p.unread is (recheck or doubted), "what was read at the index's serial serves"
        assert (p.new_files, p.new_bytes, p.unsized_files) == (0, 0, 0), "that is decided later"
        assert p.reason


def test_a_plan_says_why() -> None:
    def reason(entry: IndexEntry | None, known: KnownProject | None, *, recheck: bool = False) -> str:
        [made] = plan_from_index(
            [entry] if entry else [], [known] if known else [], Refusing(), fingerprint="now", recheck=recheck
        )
        return made.reason

    entry = IndexEntry(name="a", project=NormalizedName("a"), serial=5)
    assert reason(entry, None) == "new"
    assert reason(entry, have("a", status=REMOVED)) == "new"
    assert reason(entry, have("a", selection="before")) == "the filters changed"
    # So it is after `ledger rebuild`: pages do not say under which filters they were made.
    assert reason(entry, have("a", selection="")) == "filters unknown (rebuilt ledger)"
    assert plan_of_serial_less(goes_on=True) is None
    assert plan_of_serial_less(goes_on=False) == "upstream has no serials to compare"
    assert reason(entry, have("a"), recheck=True) == "re-check"
    assert reason(entry, have("a", seen_serial=None)) == "serial unknown"
    assert reason(entry, have("a", seen_serial=4)) == "upstream is at serial 5"
    assert reason(entry, have("a", display_name="A")) == "display name changed to a"
    assert reason(entry, have("a", status=QUARANTINED)) == "upstream lists it again"
    assert reason(None, have("a")) == "no longer in upstream's index"


def plan_of_serial_less(*, goes_on: bool) -> str | None:
    """Why a project is looked at whose serial nobody knows, and which is not among what is left."""
    entry = IndexEntry(name="a", project=NormalizedName("a"), serial=None)
    plan = plan_from_index(
        [entry], [have("a")], Refusing(), fingerprint="now", recheck=False, goes_on=goes_on
    )
    return next((made.reason for made in plan), None)


def test_a_deselected_project_is_removed_and_says_by_what() -> None:
    entry = IndexEntry(name="a", project=NormalizedName("a"), serial=5)
    [made] = plan_from_index(
        [entry], [have("a")], Refusing(NormalizedName("a")), fingerprint="now", recheck=False
    )
    assert (made.action, made.reason, made.gone) == (Action.REMOVE, "blocked by a test", False)


def test_named_projects_are_looked_at_whatever_their_serial() -> None:
    names = [NormalizedName("a"), NormalizedName("new")]
    known = {NormalizedName("a"): have("a", display_name="A")}
    old, new = plan_named(names, known, reason="asked for", verify=True)
    assert (old.project, old.display_name, old.serial) == ("a", "A", None)
    assert (new.project, new.display_name, new.serial) == ("new", "new", None)
    assert {old.reason, new.reason} == {"asked for"}
    assert old.unread
    assert new.unread
    assert old.verify
    assert new.verify
    assert not any(p.verify for p in plan_named(names, known, reason="asked for", verify=False))


# cut: batches

_sizes = st.lists(st.sampled_from((0, 0, 1, 10**6, 10**9, 10**13)), max_size=200)


def numbers_of(new_bytes: list[int], batch_size: int, at_least: int = 1) -> list[int]:
    return list(
        cut(
            iter(new_bytes),
            sizes=Counter(new_bytes).items(),
            batch_size=batch_size,
            at_least=at_least,
        )
    )


@given(sizes=_sizes, batch_size=st.integers(1, 300), at_least=st.integers(1, 2000))
def test_a_cut_is_a_partition_by_name(sizes: list[int], batch_size: int, at_least: int) -> None:
    numbers = numbers_of(sizes, batch_size, at_least)
    assert len(numbers) == len(sizes)
    assert numbers == sorted(numbers)
    worth_a_task = -(-sum(size + 2_000_000 for size in sizes) // (25 * 2_000_000))
    wanted = max(-(-len(sizes) // batch_size), min(at_least, len(sizes), worth_a_task))
    assert all(0 <= number < max(1, min(MAX_BATCHES, wanted)) for number in numbers)


@given(sizes=_sizes.filter(bool), batch_size=st.integers(1, 300))
def test_batches_are_equal_in_cost_as_far_as_projects_allow(sizes: list[int], batch_size: int) -> None:
    costs = [size + 2_000_000 for size in sizes]
    batches = min(MAX_BATCHES, -(-len(sizes) // batch_size))
    held: Counter[int] = Counter()
    for number, cost in zip(numbers_of(sizes, batch_size), costs, strict=True):
        held[number] += cost
    # A project counts where its middle is: half of one may stick out at either end.
    assert max(held.values()) <= sum(costs) / batches + max(costs)


@pytest.mark.parametrize(
    ("projects", "batch_size", "at_least", "batches"),
    [
        (0, 500, 8, 0),
        (1, 500, 8, 1),
        (24, 500, 8, 1),
        (26, 500, 8, 2),
        (2_000, 500, 1, 4),
        (2_001, 500, 1, 5),
        (2_000, 500, 8, 8),
        (2_000, 10, 8, 200),
        (5_000, 1, 1, 1_000),
        (100_000, 50, 5_000, 1_000),
    ],
)
def test_how_many_batches_a_first_sync_has(
    projects: int, batch_size: int, at_least: int, batches: int
) -> None:
    sizes = Counter(numbers_of([0] * projects, batch_size, at_least))
    assert len(sizes) == batches
    assert not sizes or max(sizes.values()) - min(sizes.values()) <= 1, "equal in projects"


@pytest.mark.parametrize(("size", "batches"), [(0, 1), (3_000_000, 2), (100_000_000, 8), (10**10, 8)])
def test_large_files_are_worth_a_batch_of_few_projects(size: int, batches: int) -> None:
    assert len(set(numbers_of([size] * 12, 500, at_least=8))) == batches


def test_costs_of_a_whole_index_do_not_lose_a_batch_to_rounding() -> None:
    assert numbers_of([10**17 + n for n in range(1_000)], 1) == list(range(1_000))
