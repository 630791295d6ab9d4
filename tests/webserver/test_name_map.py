"""The name map: which names get a line, and that every spelling leads to the normalized name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from packaging.utils import NormalizedName, canonicalize_name

from pypi_mirror.model import IndexEntry
from pypi_mirror.webserver.maps import Rule
from pypi_mirror.webserver.name_map import (
    LONGEST_KEY,
    is_current,
    read_name_map,
    spelling_maps,
    write_name_map,
)
from tests.webserver.map_evaluator import evaluate


def entry(name: str, project: str | None = None, serial: int | None = None) -> IndexEntry:
    return IndexEntry(name=name, project=NormalizedName(project or canonicalize_name(name)), serial=serial)


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def test_a_project_gets_a_line_with_its_serial_and_the_index_one_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "nginx" / "names.map"
    entries = [entry("Django", serial=7), entry("requests", serial=9), entry("a_b")]
    assert write_name_map(path, entries, serial=12)
    assert lines(path) == ['"" :12;', "django django:7;", "requests requests:9;", "a-b a-b:;"]


def test_without_serials_the_index_has_no_line(tmp_path: Path) -> None:
    path = tmp_path / "names.map"
    write_name_map(path, [entry("Django")])
    assert lines(path) == ["django django:;"]


@pytest.mark.parametrize(
    ("spelling", "serial"),
    [
        ("Django", "7"),
        ("DJANGO", "7"),
        ("django", "7"),
        ("", "12"),
        ("newer", ""),
        ("Newer", ""),
        ("a.B", ""),
    ],
)
def test_the_serial_of_a_spelling(tmp_path: Path, spelling: str, serial: str) -> None:
    path = tmp_path / "names.map"
    write_name_map(path, [entry("a_b"), entry("Django", serial=7)], serial=12)
    assert _variables(path, spelling)["mirror_serial"] == serial


def test_a_map_of_an_earlier_version_still_leads_to_the_names_and_is_known_to_be_old(tmp_path: Path) -> None:
    path = tmp_path / "names.map"
    assert not is_current(path)
    path.write_text("# Any spelling of a project's name.\nzope-interface zope-interface;\n")
    assert _resolve(path, "Zope.Interface") == "zope-interface"
    assert not is_current(path)
    write_name_map(path, [entry("Zope.Interface")])
    assert is_current(path)


def test_an_unchanged_map_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "names.map"
    assert write_name_map(path, [entry("Django")])
    before = path.stat().st_ino
    assert not write_name_map(path, iter([entry("Django")]))
    assert path.stat().st_ino == before
    assert write_name_map(path, [])
    assert lines(path) == []


@pytest.mark.parametrize(
    "display",
    [
        "Evil; }",
        "Evil\n",
        "Evil\nother other;",
        "${host}",
        "Ev il",
        'Ev"il',
        "Evil#",
        "-Evil",
        "Evil.",
        "",
        "..",
        "Évil",
        "E\u0430vil",
        "A" * (LONGEST_KEY + 1),
    ],
)
def test_a_hostile_name_is_left_out_and_its_neighbours_stay(tmp_path: Path, display: str) -> None:
    path = tmp_path / "names.map"
    write_name_map(path, [entry("Before"), entry(display), entry("Next")])
    assert lines(path) == ["before before:;", "next next:;"]


def test_a_pair_that_does_not_belong_together_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "names.map"
    write_name_map(path, [entry("Requests", "evil-requests")])
    assert lines(path) == []


def test_two_display_names_of_one_project_make_one_line(tmp_path: Path) -> None:
    path = tmp_path / "names.map"
    write_name_map(path, [entry("Django"), entry("DJANGO")])
    assert lines(path) == ["django django:;"]


def test_pairs_are_taken_one_by_one_and_written_in_blocks(tmp_path: Path) -> None:
    path = tmp_path / "names.map"
    on_disk = []

    def pairs() -> Iterator[IndexEntry]:
        for number in range(10_000):
            yield entry(f"N{number}")
        on_disk.append(sum(file.stat().st_size for file in tmp_path.iterdir()))

    write_name_map(path, pairs())
    assert on_disk[0] > path.stat().st_size / 2, "the names were held back in memory"
    assert len(lines(path)) == 10_000


def test_a_failure_half_way_leaves_the_old_map(tmp_path: Path) -> None:
    path = tmp_path / "names.map"
    write_name_map(path, [entry("Django")])

    def broken() -> Iterator[IndexEntry]:
        yield entry("Other")
        raise LookupError

    with pytest.raises(LookupError):
        write_name_map(path, broken())
    assert lines(path) == ["django django:;"]
    assert [file.name for file in tmp_path.iterdir()] == ["names.map"]


def test_reading_counts_and_makes_an_empty_map_where_there_is_none(tmp_path: Path) -> None:
    empty = read_name_map(tmp_path / "names.map")
    assert (tmp_path / "names.map").exists()
    write_name_map(tmp_path / "names.map", [entry("Django")])
    filled = read_name_map(tmp_path / "names.map")
    assert filled.lines == empty.lines + 1
    assert filled.digest != empty.digest


_WORDS = st.lists(st.text("abXY09", min_size=1, max_size=3), min_size=1, max_size=24)
_SEPARATORS = st.text("._-", min_size=1, max_size=3)


@given(st.data(), _WORDS)
def test_every_spelling_of_a_listed_project_leads_to_its_normalized_name(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, words: list[str]
) -> None:
    display = words[0] + "".join(data.draw(_SEPARATORS) + word for word in words[1:])
    normalized = canonicalize_name(display)
    path = tmp_path_factory.mktemp("map") / "names.map"
    write_name_map(path, [entry(display, normalized)])
    assert _resolve(path, display) == normalized
    assert _resolve(path, normalized) == normalized
    if len(words) <= 16:
        respelled = words[0].swapcase() + "".join("__" + word.swapcase() for word in words[1:])
        assert _resolve(path, respelled) == normalized


def test_an_unknown_spelling_leads_nowhere(tmp_path: Path) -> None:
    write_name_map(tmp_path / "names.map", [entry("Django")])
    assert _resolve(tmp_path / "names.map", "Flask") == ""


def _resolve(path: Path, spelling: str) -> str:
    return _variables(path, spelling)["mirror_normalized"]


def _variables(path: Path, spelling: str) -> dict[str, str]:
    """The maps' variables, with the included lines read the way nginx reads them."""
    included = []
    for line in lines(path):
        found = re.fullmatch(r'([a-z0-9._-]+|"") ([a-z0-9:-]+);', line)
        assert found is not None, line
        included.append(Rule(pattern=found[1].strip('"'), value=found[2], exact=True))
    maps = spelling_maps(path)
    assert [each.include for each in maps if each.include] == [path]
    whole = [replace(each, rules=(*included, *each.rules)) if each.include else each for each in maps]
    return evaluate(whole, {"mirror_spelling": spelling})
