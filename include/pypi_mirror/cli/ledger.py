"""``pypi-mirror ledger rebuild|upgrade|backup|reset-cursor``: what a person does about the ledger."""

import argparse
import sys
import time
from pathlib import Path
from typing import Any, Final

from pypi_mirror.cli.label import is_dead, new_label
from pypi_mirror.cli.output import say, warn
from pypi_mirror.clock import SystemClock
from pypi_mirror.disk.identity import adopt_disk
from pypi_mirror.errors import MirrorBusy
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.connection import back_up
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.ledger.upgrade import UpgradedLedger, upgrade_ledger
from pypi_mirror.mirror import open_mirror
from pypi_mirror.runs.rebuild_ledger import RebuiltLedger, rebuild_ledger
from pypi_mirror.runs.reset_cursor import reset_cursor
from pypi_mirror.settings.read import read_settings
from pypi_mirror.wording import count, size

_ASK_AGAIN: Final = 2.0
_SECONDS_BETWEEN_LINES: Final = 10.0


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "ledger",
        parents=[common],
        examples=(
            "pypi-mirror ledger upgrade                      # after an upgrade of pypi-mirror",
            "pypi-mirror ledger backup ledger-copy.sqlite",
        ),
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    rebuild = actions.add_parser(
        "rebuild",
        parents=[common],
        help="make the ledger from the pages and files on the disk",
        examples=("pypi-mirror ledger rebuild --verify    # read every file, too",),
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
    upgrade = actions.add_parser(
        "upgrade",
        parents=[common],
        help="bring the ledger of an older version to the schema of this one",
        examples=("pypi-mirror ledger upgrade --wait",),
    )
    upgrade.add_argument("--wait", action="store_true", help="wait while a run is at work with it")
    upgrade.set_defaults(run=run_upgrade)
    reset = actions.add_parser(
        "reset-cursor",
        parents=[common],
        help="upstream was replaced or set back: have the next sync compare everything with it",
        examples=("pypi-mirror ledger reset-cursor",),
    )
    reset.set_defaults(run=run_reset)
    adopt = actions.add_parser(
        "adopt-disk",
        parents=[common],
        help="accept the disk that the directory is on now, after a move",
        examples=("pypi-mirror ledger adopt-disk",),
    )
    adopt.set_defaults(run=run_adopt)
    backup = actions.add_parser(
        "backup",
        parents=[common],
        help="copy an SQLite ledger; runs go on meanwhile",
        examples=("pypi-mirror ledger backup ledger-copy.sqlite",),
    )
    backup.add_argument("file", type=Path, metavar="COPY", help="a file that does not exist yet")
    backup.set_defaults(run=run_backup)


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
            f"{count(rebuilt.missing, 'file')} missing, {count(rebuilt.unreadable, 'page')} unreadable "
            "(-v names them); the next run repairs them."
        )
    say("Its backlog, events and history are lost; `pypi-mirror sync` compares every project with upstream.")
    return 0


def run_upgrade(arguments: argparse.Namespace) -> int:
    print(_upgrade(arguments).described)
    return 0


def _upgrade(arguments: argparse.Namespace) -> UpgradedLedger:
    settings = read_settings(arguments.config)
    reported = None
    while True:
        try:
            return upgrade_ledger(settings, is_dead=is_dead)
        except MirrorBusy as busy:
            if not arguments.wait:
                raise
            if busy.owner != reported:
                warn(f"waiting: {busy}")
                reported = busy.owner
        time.sleep(_ASK_AGAIN)


def run_adopt(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    with Ledger.open(settings.ledger, SystemClock(), upgrade=False) as ledger:
        ledger.facts.put(Facts.identity.to(adopt_disk(settings, ledger.facts.identity)))
    print(f"{settings.directory} is the mirror's. `pypi-mirror audit` finds what is missing there.")
    return 0


def run_reset(arguments: argparse.Namespace) -> int:
    with open_mirror(read_settings(arguments.config), must_exist=True) as mirror:
        cursor = reset_cursor(mirror, new_label(), is_dead=is_dead)
    was = "had completed no sync" if cursor is None else f"was at serial {cursor}"
    print(f"The mirror {was}. The next sync compares every project with upstream; pages and files stay.")
    return 0


def run_backup(arguments: argparse.Namespace) -> int:
    copied = back_up(read_settings(arguments.config).ledger, arguments.file)
    print(f"{arguments.file}: {size(copied)}, the ledger as it was just now")
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
