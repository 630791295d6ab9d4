"""The parser of a verb: its help ends with examples, and its errors show its own usage."""

import argparse
from collections.abc import Sequence
from typing import Any


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
