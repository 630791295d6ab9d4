"""A search over all projects, and one of them whole."""

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.paging import BadKey
from pypi_mirror.observing.projects import ProjectWhole, project, project_page, similar_projects
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Corrupt, Fault, RemoveProject, Upload, Wheel, Yank, small

NAMES = ("Foo.Lib", "foo", "foo-lib-extra", "my-foo-lib", "bar", "a-foo")


@pytest.fixture
def made(bench: MakeBench) -> Bench:
    found = bench(*(Upload(distribution=Wheel(name=name)) for name in NAMES))
    found.sync()
    return found


def found_by(mirror: Mirror, query: str, limit: int) -> list[str]:
    """All that a search finds, page by page."""
    names: list[str] = []
    after = None
    while True:
        page = project_page(mirror, query, after, limit)
        assert len(page.items) <= limit
        names += [each.project for each in page.items]
        after = page.next
        if after is None:
            return names


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_first_what_begins_so_then_what_has_it_elsewhere(made: Bench, limit: int) -> None:
    with made.open() as mirror:
        assert found_by(mirror, "foo", limit) == ["foo", "foo-lib", "foo-lib-extra", "a-foo", "my-foo-lib"]
        assert found_by(mirror, "", limit) == [
            "a-foo", "bar", "foo", "foo-lib", "foo-lib-extra", "my-foo-lib",
        ]  # fmt: skip
        assert found_by(mirror, "nobody", limit) == []


@pytest.mark.parametrize("query", ["foo-lib", "Foo.Lib", " FOO_lib ", "foo--lib"])
def test_any_spelling_finds_it(made: Bench, query: str) -> None:
    with made.open() as mirror:
        assert found_by(mirror, query, 50) == ["foo-lib", "foo-lib-extra", "my-foo-lib"]


@pytest.mark.parametrize("query", ["%", "foo%", "f%o", "'", "\\", "ü"])
def test_a_query_is_text(made: Bench, query: str) -> None:
    with made.open() as mirror:
        assert found_by(mirror, query, 50) == []


@pytest.mark.parametrize("key", ["", "foo", "ends:foo"])
def test_a_key_that_is_none_of_ours_is_refused(made: Bench, key: str) -> None:
    with made.open() as mirror, pytest.raises(BadKey):
        project_page(mirror, "foo", key)


def whole(made: Bench, name: str, *, after: str | None = None, limit: int = 200) -> ProjectWhole:
    with made.open() as mirror:
        return project(mirror, NormalizedName(name), after=after, limit=limit)


def test_a_project_with_its_files(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    made.server.apply(Yank(project="compiled", version="1.0", reason="broken"))
    made.sync()
    found = whole(made, "compiled")
    assert found.held is not None
    assert (found.held.display_name, found.held.status, found.held.files) == ("compiled", "active", 2)
    assert found.held.dropped_files == 2
    assert found.held.synced_at.timestamp() == made.clock.now
    assert (found.selected, found.why) == (True, "[allowlist] packages is empty, which lets every project in")
    assert [file.filename for file in found.files.items] == sorted(made.listed("compiled"))
    assert sum(file.size for file in found.files.items) == found.held.bytes
    for file in found.files.items:
        assert (made.web / file.path).stat().st_size == file.size
        assert (made.web / file.path).name == file.filename
        assert (file.removed_at, len(file.sha256)) == (None, 64)
        assert file.uploaded_at is not None
        assert file.verified_at is not None
    assert [file.metadata for file in found.files.items] == [True, False]
    # Of the changelog since the first sync.
    assert [event.action for event in found.events] == ["yank release"]
    assert found.backlog is None


def test_files_come_a_page_at_a_time(bench: MakeBench) -> None:
    made = bench(*(Upload(distribution=Wheel(name="a", version=f"{number}.0")) for number in range(5)))
    made.sync()
    first = whole(made, "a", limit=3).files
    rest = whole(made, "a", after=first.next, limit=3).files
    names = [file.filename for file in first.items + rest.items]
    assert names == [f"a-{number}.0-py3-none-any.whl" for number in range(5)]
    assert rest.next is None


def test_a_project_that_was_never_synced_and_why(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.server.inject(Fault(path="/packages/*/alpha-*", effect=Corrupt(), times=None))
    made.sync()
    found = whole(made, "alpha")
    assert (found.held, found.files.items) == (None, ())
    assert found.backlog is not None
    assert found.backlog.error == "DigestMismatch"


def test_a_removed_project_shows_its_tombstones(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    made.server.apply(RemoveProject(project="alpha"))
    made.sync()
    found = whole(made, "alpha")
    assert found.held is not None
    assert (found.held.status, found.held.files) == ("removed", 0)
    assert len(found.files.items) == 2
    assert all(file.removed_at is not None for file in found.files.items)


def test_a_name_that_nobody_knows(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.allow("alpha", "alhpa")
    made.sync()
    nobody = whole(made, "nobody")
    assert (nobody.known, nobody.held, nobody.files.items, nobody.similar) == (False, None, (), ())
    asked_for = whole(made, "alhpa")
    assert (asked_for.held, asked_for.selected, asked_for.why) == (
        None, True, "[allowlist] packages lists alhpa"
    )  # fmt: skip
    assert (asked_for.known, asked_for.similar) == (True, ())


def test_a_misspelt_name_comes_with_what_may_be_meant(bench: MakeBench) -> None:
    made = bench(*(Upload(distribution=Wheel(name=name)) for name in ("numpy", "numba", "pandas")))
    made.sync()
    assert whole(made, "nunpy").similar == ("numpy",)
    with made.open() as mirror:
        assert similar_projects(mirror, "Nunpy") == ("numpy",)
        assert similar_projects(mirror, " ") == ()


def test_what_its_page_lacks_is_named_with_its_reason(bench: MakeBench) -> None:
    made = bench(
        *(Upload(distribution=Wheel(name="alpha", version=version)) for version in ("1.0", "2.0")),
        faults=[Fault(path="/packages/*/alpha-2.0-*.whl", effect=Corrupt(), times=None)],
    )
    made.sync()
    shown = whole(made, "alpha")
    assert [(each.part.filename, each.error) for each in shown.left_out] == [
        (Wheel(name="alpha", version="2.0").file_name, "DigestMismatch")
    ]
