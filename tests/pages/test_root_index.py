"""The root index has upstream's bytes, is replaced only when it changes, and only as a whole."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pypi_simple
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import NormalizedName, canonicalize_name

from pypi_mirror.disk.writing import TEMPORARY_PREFIX
from pypi_mirror.model import IndexEntry
from pypi_mirror.pages import root_index
from pypi_mirror.pages.root_index import write_root_index, wrong_root_index
from pypi_mirror.settings.values import SimpleFormat
from tests.golden import assert_golden
from tests.pages.samples import texts

GOLDEN = Path(__file__).with_name("golden")

ENTRIES = [
    IndexEntry(name=name, project=canonicalize_name(name), serial=serial)
    for name, serial in [("alpha", 38), ("delta", 31), ("Foo.Bar", 39)]
]
ALL_FOUR = {"index.html", "index.html.gz", "index.v1_json", "index.v1_json.gz"}


def entry(name: str, project: str = "x", serial: int | None = 1) -> IndexEntry:
    return IndexEntry(name=name, project=NormalizedName(project), serial=serial)


def write(web: Path, entries: list[IndexEntry], *, simple_format: SimpleFormat = "ALL") -> bool:
    return write_root_index(web, entries, serial=39, simple_format=simple_format)


def files(web: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (web / "simple").iterdir()}


def test_both_formats(tmp_path: Path) -> None:
    assert write(tmp_path, ENTRIES) is True

    assert_golden(GOLDEN / "root_index.html", files(tmp_path)["index.html"])
    assert_golden(GOLDEN / "root_index.v1_json", files(tmp_path)["index.v1_json"])


def test_the_twins_hold_the_same(tmp_path: Path) -> None:
    write(tmp_path, ENTRIES)

    found = files(tmp_path)
    assert found.keys() == ALL_FOUR
    for name in ("index.html", "index.v1_json"):
        assert gzip.decompress(found[f"{name}.gz"]) == found[name]


def test_without_upstream_serials_none_is_shown(tmp_path: Path) -> None:
    write_root_index(tmp_path, [entry("x", serial=None)], serial=None, simple_format="ALL")

    assert json.loads(files(tmp_path)["index.v1_json"]) == {
        "meta": {"api-version": "1.4"},
        "projects": [{"name": "x"}],
    }


def test_an_empty_mirror_has_an_index(tmp_path: Path) -> None:
    assert write(tmp_path, []) is True

    assert json.loads(files(tmp_path)["index.v1_json"])["projects"] == []
    assert pypi_simple.IndexPage.from_html(files(tmp_path)["index.html"]).projects == []


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_chunks_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(root_index, "_CHUNK", 3)
    entries = [entry(f"P{number}", f"p{number}", number) for number in range(count)]
    write(tmp_path, entries)

    projects = json.loads(files(tmp_path)["index.v1_json"])["projects"]
    assert projects == [{"_last-serial": number, "name": f"P{number}"} for number in range(count)]
    html = pypi_simple.IndexPage.from_html(files(tmp_path)["index.html"])
    assert html.projects == [f"P{number}" for number in range(count)]


def test_entries_are_taken_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded: no more than a chunk is held before it is written."""
    monkeypatch.setattr(root_index, "_CHUNK", 2)
    on_disk: list[int] = []

    def entries() -> Iterator[IndexEntry]:
        for number in range(6):
            on_disk.append(sum(path.stat().st_size for path in (tmp_path / "simple").iterdir()))
            yield entry(f"p{number}", f"p{number}")

    write_root_index(tmp_path, entries(), serial=1, simple_format="ALL")

    assert on_disk[0] == on_disk[1] < on_disk[2] == on_disk[3] < on_disk[4]


def test_nothing_is_written_when_nothing_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, ENTRIES)
    before = {path: path.stat().st_ino for path in (tmp_path / "simple").iterdir()}
    flushed: list[Path] = []
    monkeypatch.setattr(root_index, "flush_filesystem", flushed.append)

    assert write(tmp_path, ENTRIES) is False
    assert {path: path.stat().st_ino for path in (tmp_path / "simple").iterdir()} == before
    assert flushed == []


@pytest.mark.parametrize("damage", ["missing", "stale"])
def test_a_twin_that_a_crash_left_behind_is_mended(tmp_path: Path, damage: str) -> None:
    write(tmp_path, ENTRIES[:2])
    twin = tmp_path / "simple/index.v1_json.gz"
    stale = twin.read_bytes()
    write(tmp_path, ENTRIES)
    twin.unlink()
    if damage == "stale":
        twin.write_bytes(stale)

    assert write(tmp_path, ENTRIES) is True
    assert gzip.decompress(twin.read_bytes()) == files(tmp_path)["index.v1_json"]


def test_only_the_format_that_changed_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, ENTRIES)
    html = tmp_path / "simple/index.html"
    before = html.stat().st_ino

    # A serial shows in JSON alone.
    assert write_root_index(tmp_path, ENTRIES, serial=40, simple_format="ALL") is True
    assert html.stat().st_ino == before
    assert json.loads(files(tmp_path)["index.v1_json"])["meta"]["_last-serial"] == 40


@pytest.mark.parametrize(
    ("simple_format", "names"),
    [("HTML", {"index.html", "index.html.gz"}), ("JSON", {"index.v1_json", "index.v1_json.gz"})],
)
def test_a_format_that_was_switched_off_leaves_no_files(
    tmp_path: Path, simple_format: SimpleFormat, names: set[str]
) -> None:
    write(tmp_path, ENTRIES)

    assert write(tmp_path, ENTRIES, simple_format=simple_format) is True
    assert files(tmp_path).keys() == names
    assert write(tmp_path, ENTRIES, simple_format=simple_format) is False


def test_the_pages_and_the_new_index_are_on_the_disk_before_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, ENTRIES[:2])
    old = files(tmp_path)
    seen: list[dict[str, bytes]] = []
    monkeypatch.setattr(root_index, "flush_filesystem", lambda _: seen.append(files(tmp_path)))

    write(tmp_path, ENTRIES)

    first, last = seen
    # At the first flush the old index is in place and the new one is complete beside it.
    assert {name: first[name] for name in ALL_FOUR} == old
    new = files(tmp_path)
    complete = {content for name, content in first.items() if name.startswith(TEMPORARY_PREFIX)}
    assert complete == set(new.values())
    # The second comes when all is in place.
    assert last == new


def test_entries_that_break_off_leave_the_old_index(tmp_path: Path) -> None:
    write(tmp_path, ENTRIES[:2])
    old = files(tmp_path)

    def entries() -> Iterator[IndexEntry]:
        yield ENTRIES[0]
        raise ConnectionError("the ledger is gone")

    with pytest.raises(ConnectionError):
        write_root_index(tmp_path, entries(), serial=40, simple_format="ALL")

    assert files(tmp_path) == old


@given(names=st.lists(texts, max_size=4))
def test_any_name_reads_back(names: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    web = tmp_path_factory.mktemp("web")
    write(web, [entry(name) for name in names])

    found = files(web)
    assert [project["name"] for project in json.loads(found["index.v1_json"])["projects"]] == names
    html = pypi_simple.IndexPage.from_html(found["index.html"], from_encoding="utf-8")
    # The parser strips the text of an anchor.
    assert html.projects == [name.strip() for name in names]


def test_a_hostile_name_is_text(tmp_path: Path) -> None:
    hostile = "<script>alert('&lt;')</script>"
    write(tmp_path, [entry(hostile)])

    assert b"<script" not in files(tmp_path)["index.html"]
    assert pypi_simple.IndexPage.from_html(files(tmp_path)["index.html"]).projects == [hostile]


def wrong(web: Path, entries: list[IndexEntry], *, simple_format: SimpleFormat = "ALL") -> list[str]:
    return [p.name for p in wrong_root_index(web, entries, serial=39, simple_format=simple_format)]


@pytest.mark.parametrize("simple_format", ["ALL", "HTML", "JSON"])
@pytest.mark.parametrize("size", [0, 3, 25_001])
def test_what_was_written_is_right(tmp_path: Path, size: int, simple_format: SimpleFormat) -> None:
    entries = [entry(f"p{n:06}", project=f"p{n:06}") for n in range(size)]
    write(tmp_path, entries, simple_format=simple_format)
    before = files(tmp_path)

    assert wrong(tmp_path, entries, simple_format=simple_format) == []
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", sorted(ALL_FOUR))
@pytest.mark.parametrize("damage", ["gone", "short", "long", "flipped", "a link", "a directory"])
def test_a_wrong_file_is_found_alone(tmp_path: Path, name: str, damage: str) -> None:
    write(tmp_path, ENTRIES)
    path = tmp_path / "simple" / name
    content = path.read_bytes()
    path.unlink()
    if damage == "short":
        path.write_bytes(content[:-9])
    elif damage == "long":
        path.write_bytes(content + b"\n")
    elif damage == "flipped":
        path.write_bytes(content[:60] + bytes((content[60] ^ 8,)) + content[61:])
    elif damage == "a link":
        (tmp_path / "elsewhere").write_bytes(content)
        path.symlink_to(tmp_path / "elsewhere")
    elif damage == "a directory":
        path.mkdir()

    assert wrong(tmp_path, ENTRIES) == [name]


def test_an_index_of_other_entries_is_wrong(tmp_path: Path) -> None:
    write(tmp_path, ENTRIES)
    assert set(wrong(tmp_path, ENTRIES[:-1])) == ALL_FOUR
    assert set(wrong(tmp_path, [*ENTRIES, entry("z", project="z")])) == ALL_FOUR
