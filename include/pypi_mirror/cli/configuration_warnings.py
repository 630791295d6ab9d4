"""What is not a mistake in the configuration, but has no effect, or another one than where it comes from."""

import sys
from collections.abc import Collection

from pypi_mirror.errors import Mistake
from pypi_mirror.settings.bandersnatch import ENABLED_PLACE
from pypi_mirror.settings.values import Settings


def print_warnings(settings: Settings, *, besides: Collection[Mistake] = ()) -> None:
    """Print the warnings of the configuration but ``besides`` to standard error, a line each."""
    for warning in settings.warnings:
        if warning not in besides:
            place = f"{settings.path}:{warning.line}: {warning.key}"
            print(f"warning: {place}: {warning.message}", file=sys.stderr)


def print_comparison(settings: Settings) -> None:
    """Print what each option of a file that was written for bandersnatch comes to, an option a row."""
    if not settings.origin:
        print_warnings(settings)
        return
    print(f"bandersnatch's options in {settings.path}, and what they mean here:", file=sys.stderr)
    width = max(len(row.key) for row in settings.origin)
    for row in settings.origin:
        print(
            f"{row.line:>5}  {row.key:{width}}  {row.verdict.value:13}  {row.note}".rstrip(), file=sys.stderr
        )
    shown = {row.key for row in settings.origin} - {ENABLED_PLACE}
    print_warnings(settings, besides=[each for each in settings.warnings if each.key in shown])
