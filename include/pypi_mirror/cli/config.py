"""``pypi-mirror config check``: find mistakes in the configuration, and show every option in effect."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO

from pypi_mirror.cli.configuration_warnings import print_check, print_comparison
from pypi_mirror.disk.writable import why_not_writable
from pypi_mirror.errors import ConfigurationError, Mistake
from pypi_mirror.options.first import FIRST, read_first
from pypi_mirror.policy.filters.dependencies_follow import METADATA, Dependencies
from pypi_mirror.settings.options import OPTIONS, value_in
from pypi_mirror.settings.read import in_order, read_origin, read_partly
from pypi_mirror.settings.requirements import Requirements, read_requirements, with_requirements
from pypi_mirror.settings.values import Settings
from pypi_mirror.wording import count

_DIRECTORY: Final = "[mirror] directory"


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "config", parents=[common], examples=("pypi-mirror config check -c mirror.conf",)
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser(
        "check",
        parents=[common],
        help="find every mistake in the configuration",
        examples=(
            "pypi-mirror config check -c mirror.conf          # mistakes, and what has no effect",
            "pypi-mirror config check -c mirror.conf --all    # every option in effect, too",
        ),
    )
    check.add_argument("--all", action="store_true", help="print every option in effect, as in the file")
    check.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    try:
        settings, requirements = _checked(arguments.config)
    except ConfigurationError:
        print_comparison(arguments.config, read_origin(arguments.config), sys.stderr)
        raise
    if arguments.all:
        _print_options(settings)
    # What --all prints can be read again as a configuration.
    out = sys.stderr if arguments.all else sys.stdout
    if requirements.files:
        _print_requirements(requirements, out)
    if overrides := with_requirements(settings).policy.of(Dependencies).overrides:
        files = count(len({each.place for each in overrides}), "file")
        print(f"{METADATA}: {count(len(overrides), 'override')} in {files}", file=out)
    print_check(settings, out)
    print(f"no mistakes in {arguments.config}", file=out)
    return 0


def _checked(path: Path) -> tuple[Settings, Requirements]:
    """The settings, and what requirement files say; raises ConfigurationError with the mistakes of all."""
    settings, mistakes = read_partly(path)
    requirements = Requirements()
    try:
        requirements = read_requirements(settings)
    except ConfigurationError as error:
        mistakes += error.mistakes
    try:
        read_first(settings.schedule.first, path, partial(settings.line_of, FIRST))
    except ConfigurationError as error:
        mistakes += error.mistakes
    line = settings.line_of(_DIRECTORY, settings.directory)
    if line is not None and (trouble := why_not_writable(settings)) is not None:
        mistakes.append(Mistake(line=line, key=_DIRECTORY, message=trouble))
    if mistakes:
        raise ConfigurationError(settings.path or path, in_order(mistakes))
    return settings, requirements


def _print_options(settings: Settings) -> None:
    """Every option as it is written in a file; a list that may not be empty is a comment while it is."""
    section = ""
    for option in OPTIONS:
        if option.section.name != section:
            section = option.section.name
            print(f"[{section}]")
        items = [text.replace("%", "%%") for text in option.texts(value_in(settings, option)) if text]
        if not items and not option.empty:
            print(f"# {option.key} =")
        elif len(items) < 2:
            print(f"{option.key} = {''.join(items)}".rstrip())
        else:
            print("\n    ".join([f"{option.key} =", *items]))


def _print_requirements(requirements: Requirements, out: TextIO) -> None:
    projects = {demand.project for demand in requirements.demands}
    files = count(len(requirements.files), "file")
    print(f"[allowlist] requirements: {count(len(projects), 'project')} in {files}", file=out)
    for remark in requirements.unserved:
        print(f"not mirrored: {remark}", file=out)
    for remark in requirements.ignored:
        print(f"without effect: {remark}", file=out)
