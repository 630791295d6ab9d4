"""The parser of a verb: its help ends with examples, and its errors show its own usage."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pypi_mirror.settings.locate import SYSTEM_WIDE, VARIABLE, configuration_path


def add_common_options(parser: argparse.ArgumentParser, *, defaults: bool = True) -> None:
    """What every verb takes. Behind an action of a verb they have no ``defaults``, which would win over what
    stands before it.
    """
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        default=configuration_path() if defaults else argparse.SUPPRESS,
        metavar="FILE",
        help=f"the mirror's configuration (default: ${VARIABLE}, else {SYSTEM_WIDE})",
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        default=False if defaults else argparse.SUPPRESS,
        help="log a line for each project",
    )


class VerbParser(argparse.ArgumentParser):
    """``examples`` are commands as people type them, each with what it does behind a ``#``."""

    def __init__(self, *, examples: Sequence[str] = (), **others: Any) -> None:
        lines = "".join(f"\n  {line}" for line in examples)
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog=f"example{'' if len(examples) == 1 else 's'}:{lines}" if examples else None,
            **others,
        )
        self.examples = tuple(examples)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Make what a verb does not know an error of that verb; argparse makes it one of the program."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown
