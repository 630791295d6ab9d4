"""``pypi-mirror status``: how full and how fresh the mirror is."""

import argparse
import sys
from typing import Any

from pypi_mirror.ledger.backlog import BacklogEntry
from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.read import read_settings
from pypi_mirror.steps.report import mirror_status
from pypi_mirror.webserver.status import MirrorStatus, render_status
from pypi_mirror.webserver.wording import count, size

_SHOWN = 20


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser("status", parents=[common], help="show how full and how fresh it is")
    parser.add_argument("--json", action="store_true", help="as in web/mirror.json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    with open_mirror(read_settings(arguments.config)) as mirror:
        status = mirror_status(mirror)
        backlog = mirror.ledger.backlog.failed()
    if arguments.json:
        sys.stdout.write(render_status(status).decode())
    else:
        _print(status, backlog)
    return 0


def _print(status: MirrorStatus, backlog: list[BacklogEntry]) -> None:
    print(f"cursor      {status.cursor if status.cursor is not None else 'none yet'}")
    print(f"last run    {status.last_run or 'none yet'}")
    print(f"complete    {status.updated_at or 'never'}")
    print(f"asked       {status.checked_at or 'never'}")
    held = f"{count(status.projects, 'project')}, {count(status.files, 'file')}, {size(status.bytes)}"
    print(f"holds       {held}")
    print(f"left out    {count(status.dropped_files, 'file')}, {size(status.dropped_bytes)}")
    print(f"backlog     {count(len(backlog), 'project')}")
    for entry in backlog[:_SHOWN]:
        print(f"  {entry.project}: {entry.reason} ({count(entry.attempts, 'attempt')})")
    if len(backlog) > _SHOWN:
        print(f"  and {len(backlog) - _SHOWN} more")
