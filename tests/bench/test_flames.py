"""A sampler's stacks become sums by part of the engine, and a picture without this machine's paths."""

from xml.etree import ElementTree

import pytest

from bench.flames import (
    INTERPRETER,
    LOOP,
    OTHER,
    STARTING,
    Stack,
    by_function,
    by_part,
    flame_graph,
    parse_stacks,
    part_of,
)

_LOOPING = ("run (pypi_mirror/runs/download_projects.py)", "run_forever (asyncio/base_events.py)")
_RAW = """\
process 12:"/home/somebody/python";run (pypi_mirror/runs/report.py:80);_write (pypi_mirror/disk/files.py:3) 7
process 12:"/home/somebody/python";run (pypi_mirror/runs/report.py:99);_write (pypi_mirror/disk/files.py:9) 2
process 13:"/home/somebody/python" 5
"""


def test_stacks_that_differ_in_lines_alone_are_one() -> None:
    assert parse_stacks(_RAW) == {
        ("run (pypi_mirror/runs/report.py)", "_write (pypi_mirror/disk/files.py)"): 9,
        (INTERPRETER,): 5,
    }


@pytest.mark.parametrize(
    ("stack", "part"),
    [
        ((*_LOOPING, "_on_sockets (pypi_mirror/transport/curl.py)"), "transfers (libcurl)"),
        ((*_LOOPING, "flush (pypi_mirror/ledger/results.py)", "execute (sqlalchemy/engine.py)"), "ledger"),
        ((*_LOOPING, "select (selectors.py)"), LOOP),
        (("<module> (pypi_mirror/mirror.py)",), STARTING),
        (
            ("run (pypi_mirror/runs/report.py)", "_load (<frozen importlib._bootstrap>)", "x (jinja2/a.py)"),
            STARTING,
        ),
        (("_bootstrap (threading.py)", "wait (threading.py)"), OTHER),
    ],
)
def test_time_belongs_to_the_innermost_part_of_the_engine(stack: tuple[str, ...], part: str) -> None:
    assert part_of(stack) == part


def test_parts_are_summed_the_largest_first() -> None:
    assert list(by_part(parse_stacks(_RAW)).items()) == [
        ("disk: temporary files, renames, flushes", 9),
        (INTERPRETER, 5),
    ]


def test_a_function_answers_for_what_it_calls_outside_of_the_engine() -> None:
    stacks = {
        ("_write (pypi_mirror/disk/files.py)", "fsync (os.py)"): 3,
        ("_write (pypi_mirror/disk/files.py)",): 2,
        ("<module> (pypi_mirror/disk/files.py)",): 9,
    }
    assert by_function(stacks, 5) == {"_write (pypi_mirror/disk/files.py)": 5}


def test_a_picture_has_a_box_as_wide_as_its_share() -> None:
    svg = flame_graph({("a (x.py)", "b (x.py)"): 3, ("a (x.py)",): 1}, "title <1>")
    tree = ElementTree.fromstring(svg)
    boxes = {
        group[0].text: float(group[1].get("width", "0"))
        for group in tree.iter("{http://www.w3.org/2000/svg}g")
    }
    assert boxes == {"a (x.py): 100.0 %": pytest.approx(1199.6), "b (x.py): 75.0 %": pytest.approx(899.6)}


def test_what_cannot_be_seen_is_left_out() -> None:
    stacks: dict[Stack, int] = {("a (x.py)", f"f{number} (x.py)"): 1 for number in range(2_000)}
    assert len(flame_graph(stacks, "many")) < 2_000


def test_imports_show_modules_and_not_the_machinery_between_them() -> None:
    stack = ("<module> (one.py)", "_find_and_load (<frozen importlib._bootstrap>)", "<module> (two.py)")
    assert "importlib" not in flame_graph({stack: 1}, "imports")
