"""The parser of a verb: its help ends with examples, and its errors show its own usage."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pypi_mirror.settings.locate import SYSTEM_WIDE, VARIABLE, configuration_path


def add_configuration_option(parser: argparse.ArgumentParser, *, has_default: bool = False) -> None:
    """What stands before a verb, behind it, or behind its action. Only the first has a default, which would
    win over what stands before it.
    """
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        default=configuration_path() if has_default else argparse.SUPPRESS,
        metavar="FILE",
        help=f"the mirror's configuration (default: ${VARIABLE}, else {SYSTEM_WIDE})",
    )


def add_verbose_option(parser: argparse.ArgumentParser, says: str) -> None:
    """``-v``, for a verb that says more with it."""
    parser.add_argument("-v", "--verbose", action="store_true", help=says)


def add_actions(
    parser: argparse.ArgumentParser,
    listing: Callable[[argparse.Namespace], int],
    **others: Any,
) -> tuple["VerbParser", Callable[..., "VerbParser"]]:
    """Give a verb the action ``list``, which it does without an action, too.

    Returns the parser of ``list``, and what adds another action.
    """
    # Options may stand before or behind the action.
    behind = argparse.ArgumentParser(add_help=False)
    add_configuration_option(behind)
    actions: Any = parser.add_subparsers(metavar="ACTION")

    def add(name: str, run: Callable[[argparse.Namespace], int], **others: Any) -> "VerbParser":
        action: VerbParser = actions.add_parser(name, parents=[behind], **others)
        action.set_defaults(run=run)
        return action

    parser.set_defaults(run=listing, projects=[])
    parser.add_argument("--json", action="store_true", help="list as JSON")
    listed = add("list", listing, **others)
    listed.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="list as JSON")
    return listed, add


class VerbParser(argparse.ArgumentParser):
    """``examples`` are commands as people type them, each with what it does behind a ``#``."""

    def __init__(self, *, examples: Sequence[str] = (), **others: Any) -> None:
        lines = "".join(f"\n  {line}" for line in examples)
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog=f"example{'' if len(examples) == 1 else 's'}:{lines}" if examples else None,
            **others,
        )
        self.register("action", "parsers", _Described)
        self.examples = tuple(examples)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Make what a verb does not know an error of that verb; argparse makes it one of the program."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint_at_file(unknown)}")
        return known, unknown


class _Described(argparse._SubParsersAction):  # type: ignore[type-arg]  # noqa: SLF001
    """Each verb and action begins its own help with what the list of them says of it."""

    def add_parser(self, name: str, **others: Any) -> Any:
        if said := others.get("help"):
            others.setdefault("description", sentence(said))
        return super().add_parser(name, **others)


def sentence(said: str) -> str:
    """What a list says of a verb, as its help begins."""
    return f"{said[:1].upper()}{said[1:]}."


def hint_at_file(words: Sequence[str]) -> str:
    """What is added to a complaint about ``words`` where one of them looks like a configuration file."""
    file = next((word for word in words if word.endswith(".conf") and not word.startswith("-")), None)
    return "" if file is None else f"; a configuration is named by -c {file}"
