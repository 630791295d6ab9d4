"""Pages on disk agree with the model, are written only when they change, and go without a trace."""

import gzip
import os
import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.disk.writing import TEMPORARY_PREFIX, StagedFile
from pypi_mirror.model import MirroredPage
from pypi_mirror.pages import page_store
from pypi_mirror.pages.links import PoolLinks
from pypi_mirror.pages.page_store import PageStore
from pypi_mirror.pages.project_page import render_html, render_json
from pypi_mirror.settings.values import SimpleFormat
from tests.pages.samples import EVERYTHING, page

LINKS = PoolLinks(public_url="https://mirror.example/pypi")
FOO_BAR = NormalizedName("foo-bar")
ALL_FOUR = {"index.html", "index.html.gz", "index.v1_json", "index.v1_json.gz"}


def store(web: Path, *, hash_index: bool = False, simple_format: SimpleFormat = "ALL") -> PageStore:
    return PageStore(web, hash_index=hash_index, simple_format=simple_format, links=LINKS)


def tree(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


def write(pages: PageStore, page: MirroredPage) -> int:
    """Bring the page's files up to date; return the number of bytes written, 0 if all were."""
    staged = pages.stage(page.name, pages.render(page))
    staged.publish()
    return staged.size


def write_legacy_json(pages: PageStore, name: NormalizedName, document: bytes) -> bool:
    """Make ``document`` the project's legacy JSON; return whether that took writing."""
    staged = pages.stage_legacy_json(name, document)
    staged.publish()
    return staged.size > 0


def states(directory: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in directory.iterdir()}


@pytest.mark.parametrize(("hash_index", "place"), [(False, "simple/foo-bar"), (True, "simple/f/foo-bar")])
def test_writes_both_formats_and_their_twins(tmp_path: Path, hash_index: bool, place: str) -> None:
    pages = store(tmp_path, hash_index=hash_index)
    written = write(pages, EVERYTHING)

    directory = tmp_path / place
    assert pages.path_of(FOO_BAR) == directory
    assert (directory / "index.html").read_bytes() == render_html(EVERYTHING, LINKS)
    assert (directory / "index.v1_json").read_bytes() == render_json(EVERYTHING, LINKS)
    for name in ("index.html", "index.v1_json"):
        assert gzip.decompress((directory / f"{name}.gz").read_bytes()) == (directory / name).read_bytes()
    assert written == sum(path.stat().st_size for path in directory.iterdir())


@pytest.mark.parametrize(
    ("simple_format", "names"),
    [
        ("HTML", {"index.html", "index.html.gz"}),
        ("JSON", {"index.v1_json", "index.v1_json.gz"}),
        ("ALL", ALL_FOUR),
    ],
)
def test_a_format_that_was_switched_off_leaves_no_files(
    tmp_path: Path, simple_format: SimpleFormat, names: set[str]
) -> None:
    write(store(tmp_path), EVERYTHING)
    write(store(tmp_path, simple_format=simple_format), EVERYTHING)

    assert {path.name for path in (tmp_path / "simple/foo-bar").iterdir()} == names


def test_writes_nothing_when_nothing_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = store(tmp_path)
    write(pages, EVERYTHING)
    before = states(tmp_path / "simple/foo-bar")

    def compress(*_: object, **__: object) -> bytes:
        raise AssertionError("an unchanged page was compressed again")

    monkeypatch.setattr(page_store, "compressed_twin", compress)
    assert write(pages, EVERYTHING) == 0
    assert states(tmp_path / "simple/foo-bar") == before


def test_no_two_contents_of_an_address_share_time_and_size(tmp_path: Path) -> None:
    """nginx makes ETags of nothing else, to the second, and each of these would be the same second."""
    pages = store(tmp_path)
    seconds: dict[str, list[int]] = {name: [] for name in ALL_FOUR}
    for serial in range(6):
        write(pages, replace(EVERYTHING, serial=serial))
        for name in ALL_FOUR:
            seconds[name].append(int((pages.path_of(FOO_BAR) / name).stat().st_mtime))

    every = [second for of_one in seconds.values() for second in of_one]
    assert len(set(every)) == len(every)
    assert all(of_one == sorted(of_one) for of_one in seconds.values())


def test_the_first_version_of_a_page_is_not_from_the_future(tmp_path: Path) -> None:
    pages = store(tmp_path)
    write(pages, EVERYTHING)
    assert all(path.stat().st_mtime <= time.time() for path in pages.path_of(FOO_BAR).iterdir())


def test_compression_gives_the_same_bytes_every_time(tmp_path: Path) -> None:
    for web in ("one", "two"):
        write(store(tmp_path / web), EVERYTHING)

    for name in ALL_FOUR:
        assert (tmp_path / "one/simple/foo-bar" / name).read_bytes() == (
            tmp_path / "two/simple/foo-bar" / name
        ).read_bytes()


def test_a_change_replaces_all_files(tmp_path: Path) -> None:
    pages = store(tmp_path)
    write(pages, EVERYTHING)
    changed = replace(EVERYTHING, serial=40)

    assert write(pages, changed) > 0
    directory = tmp_path / "simple/foo-bar"
    assert gzip.decompress((directory / "index.html.gz").read_bytes()) == render_html(changed, LINKS)
    assert gzip.decompress((directory / "index.v1_json.gz").read_bytes()) == render_json(changed, LINKS)


def test_a_changed_page_gets_a_new_twin_even_if_the_checksums_collide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CRC-32 can be forged, and a page's text comes from strangers."""
    pages = store(tmp_path)
    write(pages, EVERYTHING)
    monkeypatch.setattr(page_store, "twin_matches", lambda *_, **__: True)
    changed = replace(EVERYTHING, serial=40)

    write(pages, changed)

    twin = tmp_path / "simple/foo-bar/index.html.gz"
    assert gzip.decompress(twin.read_bytes()) == render_html(changed, LINKS)


def test_what_is_staged_changes_nothing_until_it_is_published(tmp_path: Path) -> None:
    pages = store(tmp_path)
    write(pages, EVERYTHING)
    (tmp_path / "simple/foo-bar/index.v1_html").write_bytes(b"of a former mirror")
    before = states(tmp_path / "simple/foo-bar")

    staged = pages.stage(FOO_BAR, pages.render(replace(EVERYTHING, serial=40)))

    now = states(tmp_path / "simple/foo-bar")
    hidden = {name for name in now if name.startswith(TEMPORARY_PREFIX)}
    assert len(hidden) == len(ALL_FOUR)
    assert {name: now[name] for name in before} == before
    staged.publish()
    assert {path.name for path in (tmp_path / "simple/foo-bar").iterdir()} == ALL_FOUR
    assert not set(states(tmp_path / "simple/foo-bar").values()) & set(before.values())


def test_what_is_discarded_leaves_nothing_behind(tmp_path: Path) -> None:
    pages = store(tmp_path)
    write(pages, EVERYTHING)
    before = states(tmp_path / "simple/foo-bar")

    pages.stage(FOO_BAR, pages.render(replace(EVERYTHING, serial=40))).discard()
    pages.stage_legacy_json(FOO_BAR, b"{}").discard()

    assert states(tmp_path / "simple/foo-bar") == before
    assert tree(tmp_path / "pypi") == {"foo-bar"}


@pytest.mark.parametrize("is_new", [True, False], ids=["first", "later"])
def test_a_page_that_cannot_be_staged_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    pages = store(tmp_path)
    if not is_new:
        write(pages, replace(EVERYTHING, serial=38))
    before = tree(tmp_path / "simple/foo-bar")

    def full(_: bytes) -> bytes:
        raise OSError("No space left on device")

    monkeypatch.setattr(page_store, "compressed_twin", full)
    with pytest.raises(OSError, match="No space left"):
        pages.stage(FOO_BAR, pages.render(EVERYTHING))
    assert tree(tmp_path / "simple/foo-bar") == before


@pytest.mark.parametrize("then", ["written", "unchanged", "removed"])
def test_what_was_staged_of_legacy_json_and_died_is_swept(tmp_path: Path, then: str) -> None:
    pages = store(tmp_path)
    if then == "unchanged":
        write_legacy_json(pages, FOO_BAR, b"new")
    pages.stage_legacy_json(FOO_BAR, b"staged")
    assert len(tree(tmp_path / "pypi/foo-bar")) == 1 + (then == "unchanged")

    if then == "removed":
        pages.remove_legacy_json(FOO_BAR)
    else:
        write_legacy_json(pages, FOO_BAR, b"new")
    assert tree(tmp_path / "pypi") == (set() if then == "removed" else {"foo-bar", "foo-bar/json"})


def test_publishing_goes_on_where_it_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = store(tmp_path)
    staged = pages.stage(FOO_BAR, pages.render(EVERYTHING))
    real, left = StagedFile.publish, [2]

    def once_full(file: StagedFile) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise OSError("No space left on device")
        real(file)

    monkeypatch.setattr(StagedFile, "publish", once_full)
    with pytest.raises(OSError, match="No space left"):
        staged.publish()
    staged.publish()
    assert tree(tmp_path / "simple/foo-bar") == ALL_FOUR


def test_the_next_write_sweeps_what_was_staged_and_died(tmp_path: Path) -> None:
    pages = store(tmp_path)
    for serial in (37, 38):
        # Every version in one second has a later time, so the last lie ahead.
        write(pages, replace(EVERYTHING, serial=serial))
    pages.stage(FOO_BAR, pages.render(EVERYTHING))
    assert len(tree(tmp_path / "simple/foo-bar")) == 2 * len(ALL_FOUR)

    write(store(tmp_path), EVERYTHING)
    assert tree(tmp_path / "simple/foo-bar") == ALL_FOUR


@pytest.mark.parametrize("damage", ["missing", "stale", "empty", "zeros", "a link"])
def test_a_twin_that_a_crash_left_behind_is_mended(tmp_path: Path, damage: str) -> None:
    pages = store(tmp_path)
    write(pages, replace(EVERYTHING, serial=38))
    twin = tmp_path / "simple/foo-bar/index.html.gz"
    stale = twin.read_bytes()
    write(pages, EVERYTHING)
    good = twin.read_bytes()
    twin.unlink()
    if damage == "stale":
        twin.write_bytes(stale)
    elif damage == "empty":
        twin.write_bytes(b"")
    elif damage == "zeros":
        twin.write_bytes(bytes(len(good)))
    elif damage == "a link":
        (tmp_path / "elsewhere").write_bytes(good)
        twin.symlink_to(tmp_path / "elsewhere")

    assert write(pages, EVERYTHING) == len(good)
    assert twin.read_bytes() == good
    assert not twin.is_symlink()


def test_a_twin_of_another_compression_level_is_left_alone(tmp_path: Path) -> None:
    pages = store(tmp_path)
    write(pages, EVERYTHING)
    twin = tmp_path / "simple/foo-bar/index.html.gz"
    other = gzip.compress(render_html(EVERYTHING, LINKS), compresslevel=1, mtime=0)
    twin.write_bytes(other)

    assert write(pages, EVERYTHING) == 0
    assert twin.read_bytes() == other


@pytest.mark.parametrize("written_with", [False, True], ids=["flat", "hashed"])
@pytest.mark.parametrize("removed_with", [False, True], ids=["flat", "hashed"])
@pytest.mark.parametrize("name", ["foo-bar", "f"])
def test_removing_leaves_no_trace_in_either_layout(
    tmp_path: Path, written_with: bool, removed_with: bool, name: str
) -> None:
    write(store(tmp_path, hash_index=written_with), page(name=name))
    pages = store(tmp_path, hash_index=removed_with)

    assert pages.remove(NormalizedName(name)) is True
    # The directories of the first letters belong to the layout, not to a page.
    assert {entry for entry in tree(tmp_path / "simple") if entry != "f"} == set()
    assert pages.remove(NormalizedName(name)) is False


@pytest.mark.parametrize("hash_index", [False, True], ids=["flat", "hashed"])
@pytest.mark.parametrize(("gone", "kept"), [("f", "foo"), ("foo", "f"), ("foo", "foo-bar")])
def test_removing_one_page_spares_the_others(tmp_path: Path, hash_index: bool, gone: str, kept: str) -> None:
    pages = store(tmp_path, hash_index=hash_index)
    write(pages, page(name=gone))
    write(pages, page(name=kept))

    pages.remove(NormalizedName(gone))

    assert {path.name for path in pages.path_of(NormalizedName(kept)).iterdir()} >= ALL_FOUR
    assert not (pages.path_of(NormalizedName(gone)) / "index.html").exists()


def test_a_letters_directory_stays_for_the_next_page(tmp_path: Path) -> None:
    """Another task may be about to put a page there."""
    pages = store(tmp_path, hash_index=True)
    write(pages, page(name="f"))

    pages.remove(NormalizedName("f"))

    assert tree(tmp_path / "simple") == {"f"}


def test_a_twin_is_removed_before_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A web server with gzip_static sends a twin without asking whether its page is there."""
    pages = store(tmp_path)
    write(pages, EVERYTHING)
    directory = tmp_path / "simple/foo-bar"
    really_unlink = os.unlink

    def unlink(path: str) -> None:
        really_unlink(path)
        for name in ("index.html", "index.v1_json"):
            assert (directory / name).exists() or not (directory / f"{name}.gz").exists()

    monkeypatch.setattr(os, "unlink", unlink)
    pages.remove(FOO_BAR)

    assert not directory.exists()


def test_removing_takes_a_crashs_leftovers_along(tmp_path: Path) -> None:
    pages = store(tmp_path)
    write(pages, EVERYTHING)
    (tmp_path / "simple/foo-bar" / f"{TEMPORARY_PREFIX}left").write_bytes(b"half")

    pages.remove(FOO_BAR)

    assert not (tmp_path / "simple/foo-bar").exists()


def test_removing_spares_files_of_other_programs(tmp_path: Path) -> None:
    pages = store(tmp_path)
    write(pages, EVERYTHING)
    (tmp_path / "simple/foo-bar/notes.txt").write_bytes(b"mine")

    pages.remove(FOO_BAR)

    assert tree(tmp_path / "simple") == {"foo-bar", "foo-bar/notes.txt"}


@pytest.mark.parametrize("hash_index", [False, True], ids=["to flat", "to hashed"])
@pytest.mark.parametrize("name", ["foo-bar", "f"])
def test_the_other_layouts_page_can_be_removed_alone(tmp_path: Path, hash_index: bool, name: str) -> None:
    write(store(tmp_path, hash_index=not hash_index), page(name=name))
    pages = store(tmp_path, hash_index=hash_index)
    write(pages, page(name=name))

    assert pages.remove_other_layout(NormalizedName(name)) is True
    assert pages.remove_other_layout(NormalizedName(name)) is False
    home = pages.path_of(NormalizedName(name))
    assert set(tmp_path.rglob("index*")) == {home / file for file in ALL_FOUR}


def test_the_last_page_of_the_hashed_layout_takes_its_letter_along(tmp_path: Path) -> None:
    hashed = store(tmp_path, hash_index=True)
    for name in ("foo", "foo-bar"):
        write(hashed, page(name=name))
    flat = store(tmp_path)

    flat.remove_other_layout(FOO_BAR)
    assert tree(tmp_path / "simple") > {"f", "f/foo"}
    flat.remove_other_layout(NormalizedName("foo"))
    assert tree(tmp_path / "simple") == set()


def test_a_former_mirrors_second_html_is_not_left_to_go_stale(tmp_path: Path) -> None:
    directory = tmp_path / "simple/foo-bar"
    directory.mkdir(parents=True)
    (directory / "index.v1_html").write_bytes(b"old")

    write(store(tmp_path), EVERYTHING)

    assert {path.name for path in directory.iterdir()} == ALL_FOUR


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "Foo", "a.b", "-a", "a\n", "a\0"])
def test_no_name_leads_out_of_the_tree(tmp_path: Path, name: str) -> None:
    pages = store(tmp_path)

    for act in (
        lambda: write(pages, page(name=name)),
        lambda: pages.remove(NormalizedName(name)),
        lambda: pages.path_of(NormalizedName(name)),
        lambda: write_legacy_json(pages, NormalizedName(name), b"{}"),
        lambda: pages.remove_legacy_json(NormalizedName(name)),
    ):
        with pytest.raises(ValueError, match="not a normalized project name"):
            act()
    assert tree(tmp_path) == set()


@pytest.mark.parametrize("hash_index", [False, True], ids=["flat", "hashed"])
def test_names_are_found_in_both_layouts(tmp_path: Path, hash_index: bool) -> None:
    for hashed, names in ((False, ("foo", "f")), (True, ("foo-bar", "foo", "g"))):
        for name in names:
            write(store(tmp_path, hash_index=hashed), page(name=name))
    for other in ("Upper", "a--b", "under_score", "f/elsewhere", "far/away"):
        (tmp_path / "simple" / other).mkdir(parents=True)
    (tmp_path / "simple/file").touch()
    (tmp_path / "simple/link").symlink_to(tmp_path)

    found = sorted(store(tmp_path, hash_index=hash_index).names())
    assert found == ["f", "far", "foo", "foo", "foo-bar", "g", "g"]


def test_names_may_go_while_they_are_read(tmp_path: Path) -> None:
    pages = store(tmp_path)
    for name in ("f", "foo", "g"):
        write(pages, page(name=name))

    removed = {name for name in pages.names() if pages.remove(name)}
    assert removed == {"f", "foo", "g"}
    assert tree(tmp_path / "simple") == set()
    assert list(store(tmp_path / "nothing").names()) == []


@pytest.mark.parametrize("written_with", [False, True], ids=["flat", "hashed"])
@pytest.mark.parametrize("removed_with", [False, True], ids=["flat", "hashed"])
@pytest.mark.parametrize("name", ["foo-bar", "f"])
def test_a_stray_goes_with_its_legacy_json(
    tmp_path: Path, written_with: bool, removed_with: bool, name: str
) -> None:
    former = store(tmp_path, hash_index=written_with)
    write(former, page(name=name))
    write_legacy_json(former, NormalizedName(name), b"{}")
    (former.path_of(NormalizedName(name)) / "index.v1_html").write_bytes(b"old")
    pages = store(tmp_path, hash_index=removed_with)

    assert pages.remove_stray(NormalizedName(name)) is True
    assert pages.remove_stray(NormalizedName(name)) is False
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set()
    assert not (tmp_path / "pypi" / name).exists()


@pytest.mark.parametrize(
    "rest", [{f"{TEMPORARY_PREFIX}left"}, {f"{TEMPORARY_PREFIX}left", "index.html"}, set()]
)
def test_what_a_crash_left_of_a_stray_goes_too(tmp_path: Path, rest: set[str]) -> None:
    pages = store(tmp_path)
    pages.path_of(FOO_BAR).mkdir(parents=True)
    for name in rest:
        (pages.path_of(FOO_BAR) / name).write_bytes(b"half")

    assert pages.remove_stray(FOO_BAR) is ("index.html" in rest)
    assert tree(tmp_path / "simple") == set()


def test_a_stray_of_one_letter_spares_the_pages_below_it(tmp_path: Path) -> None:
    hashed = store(tmp_path, hash_index=True)
    write(hashed, page(name="foo"))
    write(store(tmp_path), page(name="f"))

    assert hashed.remove_stray(NormalizedName("f")) is True
    assert not (tmp_path / "simple/f/index.html").exists()
    assert hashed.is_complete(NormalizedName("foo"))


@pytest.mark.parametrize("other", ["notes.txt", "versions/notes.html", "index.html/file"])
@pytest.mark.parametrize("hash_index", [False, True], ids=["flat", "hashed"])
def test_a_directory_that_holds_anything_else_is_no_stray(
    tmp_path: Path, other: str, hash_index: bool
) -> None:
    pages = store(tmp_path, hash_index=hash_index, simple_format="JSON")
    write(pages, page(name="foo-bar"))
    write_legacy_json(pages, FOO_BAR, b"{}")
    path = pages.path_of(FOO_BAR) / other
    path.parent.mkdir(exist_ok=True)
    path.touch()
    before = tree(tmp_path)

    assert pages.remove_stray(FOO_BAR) is False
    assert tree(tmp_path) == before


def test_a_stray_is_not_looked_for_behind_links(tmp_path: Path) -> None:
    outside = store(tmp_path / "outside")
    for name in ("foo-bar", "foo"):
        write(outside, page(name=name))
        write_legacy_json(outside, NormalizedName(name), b"{}")
    before = tree(tmp_path / "outside")
    pages = store(tmp_path / "web")
    write(pages, page(name="foo"))
    simple, legacy = tmp_path / "web/simple", tmp_path / "web/pypi"
    (simple / "f").symlink_to(tmp_path / "outside/simple")
    (simple / "foo-bar").symlink_to(tmp_path / "outside/simple/foo-bar")
    legacy.mkdir()
    (legacy / "foo").symlink_to(tmp_path / "outside/pypi/foo")

    assert pages.remove_stray(FOO_BAR) is False
    assert pages.remove_stray(NormalizedName("foo")) is True
    assert not (simple / "foo").exists()
    assert tree(tmp_path / "outside") == before


def test_legacy_json_is_written_when_it_changes_and_removed(tmp_path: Path) -> None:
    pages = store(tmp_path)
    path = tmp_path / "pypi/foo-bar/json"

    assert write_legacy_json(pages, FOO_BAR, b'{"info":{}}') is True
    assert write_legacy_json(pages, FOO_BAR, b'{"info":{}}') is False
    assert path.read_bytes() == b'{"info":{}}'
    assert pages.remove_legacy_json(FOO_BAR) is True
    assert pages.remove_legacy_json(FOO_BAR) is False
    assert tree(tmp_path) == {"pypi"}


@pytest.mark.parametrize("remove", [False, True], ids=["written", "removed"])
def test_legacy_json_replaces_a_former_mirrors_link_and_its_target(tmp_path: Path, remove: bool) -> None:
    (tmp_path / "json").mkdir()
    (tmp_path / "json/foo-bar").write_bytes(b"old")
    (tmp_path / "pypi/foo-bar").mkdir(parents=True)
    (tmp_path / "pypi/foo-bar/json").symlink_to("../../json/foo-bar")
    pages = store(tmp_path)

    if remove:
        assert pages.remove_legacy_json(FOO_BAR) is True
    else:
        assert write_legacy_json(pages, FOO_BAR, b"new") is True
        assert not (tmp_path / "pypi/foo-bar/json").is_symlink()
    assert tree(tmp_path / "json") == set()


def test_pages_of_other_spellings_are_found_and_others_directories_are_not(tmp_path: Path) -> None:
    pages = store(tmp_path)
    for name, file in (
        ("Foo.Bar", "index.html"),
        ("F/Foo_Bar", "index.v1_html"),
        ("foo-bar", "index.html"),
        ("Notes", "notes.txt"),
        ("-no-name", "index.html"),
    ):
        (tmp_path / "simple" / name).mkdir(parents=True)
        (tmp_path / "simple" / name / file).touch()

    found = dict(pages.old_names())

    assert set(found) == {"foo-bar"}
    places = {str(path.relative_to(tmp_path / "simple")) for _, path in pages.old_names()}
    assert places == {"Foo.Bar", "F/Foo_Bar"}
    for _, path in list(pages.old_names()):
        pages.remove_old_name(path)
    assert not list(pages.old_names())
    assert (tmp_path / "simple/Notes/notes.txt").exists()


@pytest.mark.parametrize("left", [".index.html.a1b2c3d4", "versions/index_5_2026-12-01T033645.781403Z.html"])
def test_what_bandersnatch_left_beside_a_page_goes_with_its_first_new_one(tmp_path: Path, left: str) -> None:
    pages = store(tmp_path)
    path = pages.path_of(FOO_BAR) / left
    path.parent.mkdir(parents=True)
    path.touch()

    assert pages.has_stray(FOO_BAR)
    write(pages, page(name="foo-bar"))

    assert not path.exists()
    assert pages.is_complete(FOO_BAR)


def test_a_page_that_is_handed_over_has_what_bandersnatch_renews_and_nothing_else(tmp_path: Path) -> None:
    pages = store(tmp_path)
    write(pages, page(name="foo-bar"))
    write_legacy_json(pages, FOO_BAR, b"{}")
    pages.write_release_json(FOO_BAR, "1.0", b"{}")

    assert pages.hand_over(FOO_BAR) == 3

    assert {path for path in tree(tmp_path) if (tmp_path / path).is_file()} == {
        "simple/foo-bar/index.html",
        "simple/foo-bar/index.v1_html",
        "simple/foo-bar/index.v1_json",
        "pypi/foo-bar/json",
        "json/foo-bar",
    }
    assert pages.hand_over(FOO_BAR) == 0
