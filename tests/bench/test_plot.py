"""A plot has a place for every case and for every goal."""

from xml.etree import ElementTree

from bench.cases import Goal
from bench.plot import plot
from bench.summary import summarize

_SVG = "{http://www.w3.org/2000/svg}"


def _plot(ours: float, at_most: float, title: str = "first sync") -> ElementTree.Element:
    rounds = [{"ours": {"wall": ours}, "the floor": {"wall": 1.0}}]
    return ElementTree.fromstring(
        plot(
            "the floor",
            [summarize("A", title, [Goal(figure="wall", to="the floor", at_most=at_most)], rounds)],
        )
    )


def _left(shape: ElementTree.Element, name: str) -> float:
    return float(shape.get(name, "nan"))


def _dot(svg: ElementTree.Element) -> float:
    return _left(svg.findall(f"{_SVG}circle")[-1], "cx")


def _goal(svg: ElementTree.Element) -> float:
    return _left(svg.findall(f"{_SVG}rect")[-1], "x") + 1.5


def test_less_than_the_goal_is_left_of_it() -> None:
    assert _dot(_plot(2.0, 4.0)) < _goal(_plot(2.0, 4.0))
    assert _dot(_plot(8.0, 4.0)) > _goal(_plot(8.0, 4.0))


def test_what_lies_far_off_is_still_within_the_picture() -> None:
    svg = _plot(500.0, 1 / 150)
    width = float(svg.get("viewBox", "").split()[2])
    assert 330 <= _goal(svg) < _dot(svg) <= width


def test_a_title_is_text_and_not_markup() -> None:
    texts = [text.text for text in _plot(1.0, 1.0, "<b> & more").findall(f"{_SVG}text")]
    assert "A. <b> & more" in texts


def test_a_long_title_is_cut() -> None:
    texts = [text.text or "" for text in _plot(1.0, 1.0, "long " * 40).findall(f"{_SVG}text")]
    assert max(len(text) for text in texts if text.startswith("A.")) <= 54
