"""What is mirrored is the smallest set that roots require, whatever came before, and whenever runs died."""

import random
from typing import Any

import pytest

from pypi_mirror.errors import ApprovalRequired
from pypi_mirror.facts.facts import Facts
from pypi_mirror.fetching import read_commit
from pypi_mirror.ledger.dependencies import Dependencies
from pypi_mirror.ledger.page_reads import PageReads
from pypi_mirror.ledger.plan import Plan
from pypi_mirror.model import RunState
from pypi_mirror.observing.dependencies import dependencies
from pypi_mirror.policy.required import UNKNOWN
from pypi_mirror.runs import follow_dependencies
from pypi_mirror.settings.removal import RemovalGuard
from tests.dependencies.closure import Index, following
from tests.dependencies.graphs import Graph, make_graph
from tests.runs.bench import Bench, MakeBench
from tests.runs.test_crashes import dies
from tests.warehouse import Sdist, Upload, Wheel

_DAYS = 5


def graph_of(seed: int, projects: int = 16) -> Graph:
    return make_graph(random.Random(seed), projects, archives=False)


def mirrored(made: Bench) -> dict[str, set[str]]:
    """The files on our pages, by project."""
    names = sorted(path.name for path in (made.web / "simple").iterdir() if path.is_dir())
    return {name: files for name in names if (files := set(made.listed(name)))}


def expected(graph: Graph, *roots: str) -> dict[str, set[str]]:
    """What a mirror that never had other roots would list."""
    found = Index(*graph.events).kept(following(*roots))
    return {name: set(files) for name, files in found.items() if files}


def synced(made: Bench) -> None:
    """A run, when the lease of one that died is over; where the guard holds it back, a person approves."""
    made.clock.advance(minutes=20)
    try:
        report = made.sync()
    except ApprovalRequired as held:
        report = made.sync(approved=held.plan)
    assert report.state is RunState.SUCCESS


@pytest.mark.parametrize("seed", range(8))
def test_what_only_a_removed_root_required_goes_and_comes_back(bench: MakeBench, seed: int) -> None:
    graph = graph_of(seed)
    roots = graph.roots if len(graph.roots) > 1 else (*graph.roots, "p005-x")
    guard = RemovalGuard(undemanded_days=_DAYS)
    made = bench(*graph.events, policy=following(*roots), guard=guard, grace_days=30)
    synced(made)
    before = mirrored(made)
    assert before == expected(graph, *roots)
    left = roots[1:]
    made.change(policy=following(*left))
    synced(made)
    made.clock.advance(days=_DAYS - 1)
    synced(made)
    of_others = expected(graph, *left)
    assert {name: files & mirrored(made).get(name, set()) for name, files in of_others.items()} == of_others
    # That nothing requires something is found once a day, and counts from then.
    made.clock.advance(days=_DAYS + 1)
    synced(made)
    assert mirrored(made) == of_others
    made.change(policy=following(*roots))
    made.server.requests.reset()
    synced(made)
    assert mirrored(made) == before
    assert made.downloads() == []


# The moments of writing while dependencies are followed, each by what it belongs to and its name.
MOMENTS: dict[str, tuple[Any, str]] = {
    "beginning": (Dependencies, "begin"),
    "names": (Dependencies, "name"),
    "pages": (PageReads, "record"),
    "what is required": (Dependencies, "record"),
    "end": (Dependencies, "finish"),
    "any facts": (Facts, "put"),
    "removals that are none": (Plan, "drop_removals"),
    "plan": (Plan, "add"),
    "choice": (follow_dependencies, "choose_projects"),
    "planned": (Dependencies, "note_planned"),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("place", "name"), MOMENTS.values(), ids=MOMENTS)
def test_a_run_that_dies_leaves_the_next_one_the_same_closure(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, seed: int
) -> None:
    monkeypatch.setattr(read_commit, "_PROJECTS", 2)
    graph = graph_of(seed)
    guard = RemovalGuard(undemanded_days=0, max_percent=100, weekly_percent=100)
    made = bench(*graph.events, policy=following(*graph.roots), guard=guard)
    # Once at its first use, and once somewhere later.
    died = dies(made, monkeypatch, place, name, 0)
    made.clock.advance(minutes=20)
    dies(made, monkeypatch, place, name, random.Random(seed).randrange(1, 6))
    synced(made)
    assert mirrored(made) == expected(graph, *graph.roots)
    # And once more, where there is something to lose.
    made.change(policy=following("p005-x"))
    made.clock.advance(days=2)
    died |= dies(made, monkeypatch, place, name, 0)
    synced(made)
    assert mirrored(made) == expected(graph, "p005-x")
    assert died, "this moment never came: the test tests nothing"


def test_what_others_require_is_decided_again_when_the_allowlist_names_it(bench: MakeBench) -> None:
    events = (
        Upload(distribution=Wheel(name="app", requires_dist=("lib>=2",))),
        *(Upload(distribution=Wheel(name="lib", version=version)) for version in ("1.0", "2.0")),
    )
    made = bench(*events, policy=following("app"))
    for roots, versions in ((("app",), ["2.0"]), (("app", "lib"), ["1.0", "2.0"]), (("app",), ["2.0"])):
        made.change(policy=following(*roots))
        synced(made)
        assert made.page("lib")["versions"] == versions


def test_a_wheel_that_no_machine_can_use_says_what_the_archive_beside_it_requires(bench: MakeBench) -> None:
    made = bench(
        Upload(distribution=Wheel(name="app", tags="py2-none-any", requires_dist=("lib",))),
        Upload(distribution=Sdist(name="app", version="1.0", requires_dist=("lib",))),
        Upload(distribution=Wheel(name="lib")),
        policy=following("app"),
    )
    synced(made)
    assert sorted(mirrored(made)) == ["app", "lib"]


def test_releases_of_which_nobody_can_tell_are_named(bench: MakeBench) -> None:
    archives = (Sdist(name="lib", version=version) for version in ("1.0", "1.1"))
    made = bench(
        Upload(distribution=Wheel(name="app", requires_dist=("lib",))),
        *(Upload(distribution=each) for each in archives),
        policy=following("app"),
    )
    synced(made)
    with made.open() as mirror:
        found = dependencies(mirror)
    assert found is not None
    assert [(each.what, each.reason) for each in found.unmet] == [("lib 1.0, 1.1", UNKNOWN)]
