"""``--help`` of every verb, and of every action of one, ends with examples that can be typed."""

import argparse
import shlex
from collections.abc import Iterator

import pytest

from pypi_mirror.cli import _VERBS, _parser, main
from pypi_mirror.cli.parser import VerbParser


def parsers(parser: VerbParser) -> Iterator[VerbParser]:
    """The parser, and those of its verbs and their actions."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from parsers(each)


ALL = {each.prog: each for verb in _VERBS for each in parsers(_parser([verb]))}


def test_every_verb_is_here() -> None:
    assert {f"pypi-mirror {verb}" for verb in _VERBS} < set(ALL)
    assert "pypi-mirror ledger reset-cursor" in ALL


@pytest.mark.parametrize("name", sorted(ALL))
def test_help_shows_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*name.split()[1:], "--help"])
    shown = capsys.readouterr().out
    assert ALL[name].examples
    said = ALL[name].description or ""
    assert said[:1].isupper()
    assert said.endswith(".")
    assert said.split()[0] in shown
    for example in ALL[name].examples:
        assert f"  {example}\n" in shown


@pytest.mark.parametrize("example", sorted({line for each in ALL.values() for line in each.examples}))
def test_an_example_is_a_command_of_its_verb(example: str) -> None:
    program, *words = shlex.split(example, comments=True)
    assert program == "pypi-mirror"
    assert callable(_parser(words).parse_args(words).run)


@pytest.mark.parametrize("name", sorted(ALL))
def test_an_example_is_about_what_it_stands_under(name: str) -> None:
    assert all(example.startswith(f"{name} ") or example == name for example in ALL[name].examples)


@pytest.mark.parametrize("name", sorted(ALL))
def test_an_option_says_the_same_of_itself_wherever_it_stands(name: str) -> None:
    said = {action.dest: action.help for action in ALL["pypi-mirror sync"]._actions}
    for action in ALL[name]._actions:
        if action.dest == "config":
            assert action.help == said[action.dest]
