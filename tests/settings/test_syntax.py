"""The syntax is the one bandersnatch's parser reads, line numbers apart."""

import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.settings.syntax import BadReference, Line, parse_sections, resolve


def standard_reading(text: str) -> dict[str, dict[str, list[str]]] | None:
    """What bandersnatch's own kind of parser makes of ``text``: lists of lines; None for an error."""
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    try:
        parser.read_string(text)
        return {
            name: {
                key: [line for line in section[key].split("\n") if line]
                for key in (parser.defaults() if name == "DEFAULT" else vars_of(parser, name))
            }
            for name, section in parser.items()
            if name != "DEFAULT" or parser.defaults()
        }
    except configparser.Error:
        return None


def vars_of(parser: configparser.ConfigParser, name: str) -> list[str]:
    return list(parser._sections[name])  # type: ignore[attr-defined]


def our_reading(text: str) -> dict[str, dict[str, list[str]]] | None:
    sections, mistakes = parse_sections(text)
    if mistakes:
        return None
    default = {
        e.key: "\n".join(line.text for line in e.lines)
        for e in (sections["DEFAULT"].entries.values() if "DEFAULT" in sections else ())
    }
    read: dict[str, dict[str, list[str]]] = {}
    try:
        for section in sections.values():
            variables = default | {
                e.key: "\n".join(line.text for line in e.lines) for e in section.entries.values()
            }
            read[section.name] = {
                e.key: [line.text for line in resolve(e.lines, variables) if line.text]
                for e in section.entries.values()
            }
    except BadReference:
        return None
    return {name: keys for name, keys in read.items() if name != "DEFAULT" or keys}


PIECES = st.sampled_from(
    [
        "[a]",
        "[b]",
        "[DEFAULT]",
        "[a] ; x",
        "x = 1",
        "x=2",
        "y =",
        "Y = v",
        "z = %(x)s",
        "z = 50%%",
        "p = 5%",
        "w = %(nowhere)s",
        "k =a=b",
        "= 3",
        "novalue",
        "# c",
        "; c",
        "",
        "    more",
        "\tmore # kept",
        "  q = r",
        "    # inside",
        "    [a]",
        "v = %(v)s",
        "x-y_z = ü",
        "x = %(y)s-%(Y)s",
    ]
)


@given(st.lists(PIECES, max_size=12), st.sampled_from(["\n", "\r\n", "\r"]))
def test_it_reads_what_the_standard_parser_reads(pieces: list[str], newline: str) -> None:
    text = newline.join(pieces)
    expected = standard_reading("\n".join(pieces))

    assert our_reading(text) == expected


def test_values_keep_the_numbers_of_their_lines() -> None:
    sections, mistakes = parse_sections("# c\n[a]\nx =\n  one\n\n  # no\n  two\ny = 3\n")

    assert mistakes == []
    assert sections["a"].number == 2
    assert sections["a"].entries["x"].lines == [
        Line(number=3, text=""),
        Line(number=4, text="one"),
        Line(number=7, text="two"),
    ]
    assert sections["a"].entries["y"].number == 8


def test_every_violation_is_found_not_only_the_first() -> None:
    _, mistakes = parse_sections("x = 1\n[a]\nx = 1\nnonsense\nx = 2\n[a]\n")

    assert [(m.line, m.key) for m in mistakes] == [(1, "x"), (4, "[a]"), (5, "[a] x"), (6, "[a]")]


@pytest.mark.parametrize("value", ["%(b)s", "%(nowhere)s", "50%", "%d"])
def test_a_bad_percent_sign_is_reported_with_its_line(value: str) -> None:
    with pytest.raises(BadReference) as caught:
        resolve([Line(number=6, text="fine"), Line(number=7, text=value)], {"b": "%(c)s", "c": "%(b)s"})

    assert caught.value.args[1] == 7
