"""``pypi-mirror ledger rebuild``: a lost or broken ledger, made anew from the tree."""

import argparse
import sys
import time
from typing import Any, Final

from pypi_mirror.settings.read import read_settings
from pypi_mirror.steps.rebuild_ledger import RebuiltLedger, rebuild_ledger
from pypi_mirror.webserver.wording import count, size

_SECONDS_BETWEEN_LINES: Final = 10.0


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser("ledger", help="make a lost or broken ledger anew")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    rebuild = actions.add_parser(
        "rebuild", parents=[common], help="make the ledger from the pages and files on the disk"
    )
    rebuild.add_argument("--force", action="store_true", help="replace a ledger that is whole, too")
    rebuild.add_argument(
        "--verify",
        action="store_true",
        help="read every file; remove those that are not what their page says, to be downloaded again",
    )
    rebuild.add_argument(
        "--same-filters",
        action="store_true",
        help="the settings have not changed since the last run: do not look at every page again",
    )
    rebuild.set_defaults(run=run_rebuild)


def run_rebuild(arguments: argparse.Namespace) -> int:
    rebuilt = rebuild_ledger(
        read_settings(arguments.config),
        force=arguments.force,
        verify=arguments.verify,
        same_filters=arguments.same_filters,
        on_progress=_Progress(),
    )
    print(f"The ledger holds {_held(rebuilt)}.")
    if rebuilt.aside is not None:
        print(f"The old one was kept: {rebuilt.aside}")
    if rebuilt.missing or rebuilt.unreadable:
        print(
            f"{count(rebuilt.missing, 'file')} and {count(rebuilt.unreadable, 'page')} were not as they "
            "should be (-v names them); the next run mends them."
        )
    print(
        "Its backlog, events and history are lost; `pypi-mirror sync` compares every project with upstream."
    )
    return 0


class _Progress:
    """A line now and then: a full mirror takes hours."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, so_far: RebuiltLedger) -> None:
        if time.monotonic() - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            print(f"{_held(so_far)} so far", file=sys.stderr, flush=True)


def _held(rebuilt: RebuiltLedger) -> str:
    return f"{count(rebuilt.projects, 'project')}, {count(rebuilt.files, 'file')}, {size(rebuilt.bytes)}"
