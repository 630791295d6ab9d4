"""``download-mirror``: files from a mirror near by, pages and what the mirror lacks from master."""

from collections.abc import Iterator

import pytest

from pypi_mirror.model import RunState
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Corrupt, Drop, Fault, Server, Status, running, small

FILES = "/packages/*"


@pytest.fixture
def near() -> Iterator[Server]:
    """A mirror that has what upstream has."""
    with running(small().build()) as server:
        yield server


def make(bench: MakeBench, near: Server, **settings: object) -> Bench:
    return bench(scenario=small(), download_mirror=near.url, **settings)


def asked(server: Server) -> set[str]:
    """The names of the files, and documents beside files, that the server was asked for."""
    return {
        each.path.rpartition("/")[2] for kind in ("file", "metadata") for each in server.requests.of(kind)
    }


def test_files_come_from_the_mirror_and_pages_from_master(bench: MakeBench, near: Server) -> None:
    made = make(bench, near)

    assert made.sync().state is RunState.SUCCESS

    assert asked(made.server) == set()
    assert asked(near)
    assert {name for name in asked(near) if name.endswith(".metadata")}
    assert near.requests.of("page") == near.requests.of("index") == ()
    audit(made)
    compare(made)


@pytest.mark.parametrize("effect", [Status(code=404), Status(code=503), Corrupt(), Drop()])
def test_what_the_mirror_does_not_have_comes_from_master(
    bench: MakeBench, near: Server, effect: object
) -> None:
    near.inject(Fault(path="/packages/*/alpha-*", effect=effect, times=None))
    made = make(bench, near)

    assert made.sync().state is RunState.SUCCESS

    assert asked(made.server)
    assert all(name.startswith("alpha-") for name in asked(made.server))
    assert any(not name.startswith("alpha-") for name in asked(near))
    audit(made)
    compare(made)


def test_without_fallback_such_a_file_fails_and_nothing_else(bench: MakeBench, near: Server) -> None:
    near.inject(Fault(path="/packages/*/alpha-*.tar.gz", effect=Status(code=404), times=None))
    made = make(bench, near, download_mirror_no_fallback=True)

    assert made.sync().state is RunState.FAILED

    assert asked(made.server) == set()
    assert list(made.backlog()) == ["alpha"]
    audit(made)
    near.faults.clear()
    assert made.selected("alpha").state is RunState.SUCCESS
    compare(made)


def test_a_mirror_that_is_down_costs_a_few_requests(bench: MakeBench, near: Server) -> None:
    near.inject(Fault(path=FILES, effect=Status(code=503), times=None))
    made = make(bench, near, workers=1)

    assert made.sync().state is RunState.SUCCESS

    assert 8 <= len([*near.requests.of("file"), *near.requests.of("metadata")]) <= 10
    audit(made)
    compare(made)
