"""What is not a mistake in the configuration, but has no effect, or another one than where it comes from."""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import TextIO

from pypi_mirror.errors import Mistake
from pypi_mirror.settings.assemble import public_index
from pypi_mirror.settings.bandersnatch import ENABLED_PLACE, Comparison
from pypi_mirror.settings.values import Settings


def print_warnings(
    settings: Settings, *, besides: Collection[Mistake] = (), out: TextIO | None = None
) -> None:
    """Print the warnings of the configuration but ``besides``, a line each, by default to standard error."""
    for warning in settings.warnings:
        if warning not in besides:
            place = f"{settings.path}:{warning.line}: {warning.key}"
            print(f"warning: {place}: {warning.message}", file=out or sys.stderr)


def print_comparison(path: Path | None, rows: Collection[Comparison], out: TextIO) -> None:
    """Print what each option of a file that was written for bandersnatch comes to, an option a row."""
    if rows:
        print(f"bandersnatch's options in {path}, and what they mean here:", file=out)
    width = max((len(row.key) for row in rows), default=0)
    for row in rows:
        print(f"{row.line:>5}  {row.key:{width}}  {row.verdict.value:13}  {row.note}".rstrip(), file=out)


def print_check(settings: Settings, out: TextIO) -> None:
    """Print all that there is to say of a configuration without mistakes; what the rows say is said once."""
    print_comparison(settings.path, settings.origin, out)
    allowed = settings.policy.allowed
    if not (allowed.packages or allowed.requirements):
        much = " (PyPI has some 100 TB)" if settings.master == public_index() else ""
        print(f"[allowlist] names no projects: all that upstream has are mirrored{much}", file=out)
    shown = {row.key for row in settings.origin} - {ENABLED_PLACE}
    print_warnings(settings, besides=[each for each in settings.warnings if each.key in shown], out=out)
