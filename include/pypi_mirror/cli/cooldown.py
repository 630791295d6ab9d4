"""``pypi-mirror cooldown``: the files in cooldown, and lifting it."""

import argparse
import json
import os
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

from packaging.utils import NormalizedName

from pypi_mirror.cli.label import new_label
from pypi_mirror.cli.output import say
from pypi_mirror.cli.parser import add_actions, add_verbose_option
from pypi_mirror.cli.processes import run_all
from pypi_mirror.cli.sync import download_batch, ended, who
from pypi_mirror.cli.sync_report import print_report
from pypi_mirror.errors import MirrorError
from pypi_mirror.ledger.held_files import HeldRow
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.model import RemoteFile
from pypi_mirror.options.packages import ReleaseRule, parse_blocked_package
from pypi_mirror.options.parsers import BadValue
from pypi_mirror.policy.roots import Roots
from pypi_mirror.runs.publish_due import lift, publish_due
from pypi_mirror.settings.read import read_settings
from pypi_mirror.wording import count, moment_of


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "cooldown",
        parents=[common],
        examples=(
            "pypi-mirror cooldown                                     # which files wait, and until when",
            'pypi-mirror cooldown lift "requests==2.33" --why "fixes CVE-2026-1"',
            "pypi-mirror cooldown publish                             # put on their pages now what is due",
        ),
    )
    listing, add_action = add_actions(
        parser,
        _run_list,
        help="which files are in cooldown, and until when",
        examples=("pypi-mirror cooldown list requests --json",),
    )
    lifting = add_action(
        "lift",
        _run_lift,
        help="have the next run list files before they are due",
        examples=('pypi-mirror cooldown lift "requests==2.33" --why "fixes CVE-2026-1"',),
    )
    lifting.add_argument(
        "--why",
        required=True,
        type=_reason,
        metavar="TEXT",
        help="the reason, kept with the file until it is listed, and logged",
    )
    publishing = add_action(
        "publish",
        _run_publish,
        help="put the files that are due on their pages now, as [cooldown] cron does",
        examples=("pypi-mirror cooldown publish",),
    )
    add_verbose_option(publishing, "log a line for each project")
    for action, number in ((listing, "*"), (lifting, "+")):
        action.add_argument(
            "projects",
            nargs=number,
            type=_rule,
            metavar="PROJECT",
            help="a project, or releases of it (requests, requests==2.33)",
        )


def _rule(text: str) -> ReleaseRule:
    try:
        return parse_blocked_package(text)
    except BadValue as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _reason(text: str) -> str:
    reason = " ".join(text.split())
    if not reason:
        raise argparse.ArgumentTypeError("empty: say why these files need not wait")
    return reason


def _run_list(arguments: argparse.Namespace) -> int:
    with open_mirror(read_settings(arguments.config), must_exist=True) as mirror:
        rows = _chosen(mirror, arguments.projects)
        if arguments.json:
            print(json.dumps([_document(row) for row in rows], indent=1))
            return 0
        for row in rows:
            say(f"{row.filename}: {_state(row)}")
        projects = len({row.project for row in rows})
        print(f"{count(len(rows), 'file')} of {count(projects, 'project')} in cooldown.")
    return 0


def _run_lift(arguments: argparse.Namespace) -> int:
    with open_mirror(read_settings(arguments.config), must_exist=True) as mirror:
        rows = [row for row in _chosen(mirror, arguments.projects) if row.lifted_at is None]
        if not rows:
            raise MirrorError(
                "none of these files is in cooldown; `pypi-mirror cooldown list` shows those that are"
            )
        lift(mirror, rows, by=who(), why=arguments.why)
        for row in rows:
            say(f"{row.filename}: cooldown lifted")
        lifted = f"{count(len(rows), 'file')} lifted"
        say(f"{lifted}, to be listed by the next run; `pypi-mirror cooldown publish` does it at once.")
    return 0


def _run_publish(arguments: argparse.Namespace) -> int:
    label = new_label()
    with open_mirror(read_settings(arguments.config), must_exist=True) as mirror, ended(mirror, label):
        processes = os.cpu_count() or 1

        def download(run_id: int, batches: Sequence[int]) -> None:
            work = [partial(download_batch, run_id, batch) for batch in batches]
            run_all(mirror, work, processes=processes, progress=nullcontext(lambda _tally: None))

        outcome = publish_due(mirror, label, at_once=processes, download=download)
        if outcome is None:
            print("No file is due.")
            return 0
        print_report(mirror, outcome)
        return 1 if outcome.tally.projects_failed else 0


def _chosen(mirror: Mirror, rules: list[ReleaseRule]) -> list[HeldRow]:
    rows = list(mirror.ledger.held_files.all())
    if not rules:
        return rows
    roots = Roots(tuple(rules))
    return [row for row in rows if _is_meant(roots, row.project, row.filename)]


def _is_meant(roots: Roots, project: NormalizedName, filename: str) -> bool:
    file = RemoteFile(filename=filename, url="")
    return roots.whole(project) is not None or next(roots.admitting(project, file), None) is not None


def _state(row: HeldRow) -> str:
    if row.lifted_at is not None:
        return f"lifted by {row.lifted_by} at {moment_of(row.lifted_at)}: {row.lifted_why}"
    until = f"listed from {moment_of(row.due_at or 0)} on"
    return until if row.file is not None else f"{until}, not downloaded yet"


def _document(row: HeldRow) -> dict[str, Any]:
    return {
        "project": row.project,
        "filename": row.filename,
        "since": row.since,
        "due_at": row.due_at,
        "downloaded": row.file is not None,
        "size": None if row.file is None else row.file.size,
        "lifted_at": row.lifted_at,
        "lifted_by": row.lifted_by,
        "reason": row.lifted_why,
    }
