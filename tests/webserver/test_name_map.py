"""The name map: which names get a line, and that every spelling leads to the normalized name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_mirror.webserver.maps import Map, Rule
from pypi_mirror.webserver.name_map import LONGEST_KEY, read_name_map, spelling_maps, write_name_map
from tests.webserver.map_evaluator import evaluate


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def test_a_display_name_gets_a_line_and_a_normalized_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "nginx" / "names.map"
    assert write_name_map(path, [("Django", "django"), ("requests", "requests"), ("a_b", "a-b")])
    assert lines(path) == ["django django;", "a-b a-b;"]


def test_an_unchanged_map_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "names.map"
    assert write_name_map(path, [("Django", "django")])
    before = path.stat().st_ino
    assert not write_name_map(path, iter([("Django", "django")]))
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
    write_name_map(path, [("Before", "before"), (display, canonicalize_name(display)), ("Next", "next")])
    assert lines(path) == ["before before;", "next next;"]


def test_a_pair_that_does_not_belong_together_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "names.map"
    write_name_map(path, [("Requests", "evil-requests")])
    assert lines(path) == []


def test_two_display_names_of_one_project_make_one_line(tmp_path: Path) -> None:
    path = tmp_path / "names.map"
    write_name_map(path, [("Django", "django"), ("DJANGO", "django")])
    assert lines(path) == ["django django;"]


def test_pairs_are_taken_one_by_one_and_written_in_blocks(tmp_path: Path) -> None:
    path = tmp_path / "names.map"
    on_disk = []

    def pairs() -> Iterator[tuple[str, str]]:
        for number in range(10_000):
            yield f"N{number}", f"n{number}"
        on_disk.append(sum(file.stat().st_size for file in tmp_path.iterdir()))

    write_name_map(path, pairs())
    assert on_disk[0] > path.stat().st_size / 2, "the names were held back in memory"
    assert len(lines(path)) == 10_000


def test_a_failure_half_way_leaves_the_old_map(tmp_path: Path) -> None:
    path = tmp_path / "names.map"
    write_name_map(path, [("Django", "django")])

    def broken() -> Iterator[tuple[str, str]]:
        yield "Other", "other"
        raise LookupError

    with pytest.raises(LookupError):
        write_name_map(path, broken())
    assert lines(path) == ["django django;"]
    assert [file.name for file in tmp_path.iterdir()] == ["names.map"]


def test_reading_counts_and_makes_an_empty_map_where_there_is_none(tmp_path: Path) -> None:
    empty = read_name_map(tmp_path / "names.map")
    assert (tmp_path / "names.map").exists()
    write_name_map(tmp_path / "names.map", [("Django", "django")])
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
    write_name_map(path, [(display, normalized)])
    assert _resolve(path, display) == normalized
    assert _resolve(path, normalized) == normalized
    if len(words) <= 16:
        respelled = words[0].swapcase() + "".join("__" + word.swapcase() for word in words[1:])
        known = display != normalized or respelled == respelled.lower()
        assert _resolve(path, respelled) == (normalized if known else "")


def test_an_unknown_spelling_leads_nowhere(tmp_path: Path) -> None:
    write_name_map(tmp_path / "names.map", [("Django", "django")])
    assert _resolve(tmp_path / "names.map", "Flask") == ""


def _resolve(path: Path, spelling: str) -> str:
    """``$mirror_normalized``, with the included lines read the way nginx reads them."""
    dashed, normalized = spelling_maps(path)
    assert normalized.include == path
    included = []
    for line in lines(path):
        entry = re.fullmatch(r"([a-z0-9._-]+) ([a-z0-9-]+);", line)
        assert entry is not None, line
        included.append(Rule(pattern=entry[1], value=entry[2], exact=True))
    whole = Map(
        source=normalized.source,
        target=normalized.target,
        default=normalized.default,
        rules=(*included, *normalized.rules),
    )
    return evaluate([dashed, whole], {"mirror_spelling": spelling})["mirror_normalized"]
