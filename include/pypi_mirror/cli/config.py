"""``pypi-mirror config check``: read the configuration and show what it comes to."""

import argparse
import sys
from typing import Any

from pypi_mirror.settings.describe import describe
from pypi_mirror.settings.first import read_first
from pypi_mirror.settings.places import require_places
from pypi_mirror.settings.read import read_settings


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser("config", help="check the configuration")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser(
        "check", parents=[common], help="find every mistake; show every setting in effect"
    )
    check.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    read_first(settings)
    require_places(settings)
    section = ""
    for name, key, value in describe(settings):
        if name != section:
            print(f"[{name}]")
            section = name
        # A list as it is written in the file: an item a line, behind the key.
        items = value.split("\n")
        print(f"{key} = {value}".rstrip() if len(items) < 2 else "\n    ".join([f"{key} =", *items]))
    print(f"no mistakes in {arguments.config}", file=sys.stderr)
    return 0
