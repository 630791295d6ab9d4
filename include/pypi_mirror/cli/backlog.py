"""``pypi-mirror backlog``: the projects that are behind upstream, why, and what to do about them."""

import argparse
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import asdict
from packaging.utils import NormalizedName

from pypi_mirror.cli.output import say
from pypi_mirror.cli.parser import add_actions
from pypi_mirror.cli.status import next_try
from pypi_mirror.cli.sync import project_name
from pypi_mirror.ledger.backlog import BacklogEntry
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.runs.manage_backlog import Forgotten, chosen, forget_backlog, retry_backlog
from pypi_mirror.settings.read import read_settings
from pypi_mirror.wording import count

_TIMES = ("first_failed_at", "last_failed_at", "next_try_at")


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "backlog",
        parents=[common],
        examples=(
            "pypi-mirror backlog                    # which projects failed, why, and when they are retried",
            "pypi-mirror backlog retry flask        # retry one in the next sync",
            "pypi-mirror backlog forget flask       # take one off that the filters no longer select",
        ),
    )
    listing, add_action = add_actions(
        parser,
        _run_list,
        help="what is behind, why, and when it is retried",
        examples=("pypi-mirror backlog list flask --json",),
    )
    retry = add_action(
        "retry",
        _run_retry,
        help="have the next sync retry them, parked ones too",
        examples=("pypi-mirror backlog retry --all",),
    )
    forget = add_action(
        "forget",
        _run_forget,
        help="take them off the backlog",
        examples=("pypi-mirror backlog forget flask",),
    )
    forget.add_argument(
        "--force", action="store_true", help="also what the filters select: it stays behind upstream"
    )
    for action in (listing, retry, forget):
        action.add_argument("projects", nargs="*", type=project_name, metavar="PROJECT", help="only these")
        action.set_defaults(usage_error=action.error)
    for action in (retry, forget):
        action.add_argument("--all", action="store_true", help="every project of the backlog")


def _run_list(arguments: argparse.Namespace) -> int:
    with _opened(arguments) as mirror:
        _list(mirror, arguments.projects or None, as_json=arguments.json)
    return 0


def _run_retry(arguments: argparse.Namespace) -> int:
    chosen = _chosen(arguments)
    with _opened(arguments) as mirror:
        retried = retry_backlog(mirror, chosen)
    for entry in retried:
        print(
            f"{entry.project}: will be retried in the next sync"
            + (", no longer parked" if entry.parked else "")
        )
    if not retried:
        print("The backlog is empty.")
    return 0


def _run_forget(arguments: argparse.Namespace) -> int:
    chosen = _chosen(arguments)
    with _opened(arguments) as mirror:
        forgotten = forget_backlog(mirror, chosen, force=arguments.force)
    for each in forgotten:
        print(_forgotten(each))
    return 0


def _opened(arguments: argparse.Namespace) -> AbstractContextManager[Mirror]:
    return open_mirror(read_settings(arguments.config), must_exist=True)


def _chosen(arguments: argparse.Namespace) -> list[NormalizedName] | None:
    """The projects that are named, None with ``--all``."""
    if bool(arguments.projects) == arguments.all:
        arguments.usage_error("name the projects, or say --all")
    return arguments.projects or None


def _list(mirror: Mirror, projects: Sequence[NormalizedName] | None, *, as_json: bool) -> None:
    entries = chosen(mirror, projects)
    if as_json:
        print(json.dumps([_document(entry) for entry in entries], indent=1))
        return
    for entry in entries:
        say(f"{entry.project}: {entry.reason} ({_state(entry)}, {next_try(entry)})")
    failed = [entry for entry in entries if not entry.lagging]
    parked = sum(entry.parked for entry in failed)
    print(
        f"{count(len(failed), 'project')} failed, {parked:,} of them parked; "
        f"{count(len(entries) - len(failed), 'page')} older than upstream's list of projects says."
    )


def _state(entry: BacklogEntry) -> str:
    if entry.lagging:
        checked = f"checked {count(entry.attempts, 'time')}" if entry.attempts else "not checked again yet"
        return f"lagging, {checked}"
    return count(entry.attempts, "attempt") + (", parked" if entry.parked else "")


def _document(entry: BacklogEntry) -> dict[str, Any]:
    """The entry with its times in RFC 3339."""
    times = {
        name: f"{datetime.fromtimestamp(getattr(entry, name), UTC):%Y-%m-%dT%H:%M:%SZ}" for name in _TIMES
    }
    return {**asdict(entry), **times}


def _forgotten(each: Forgotten) -> str:
    if each.files is None:
        has = "the mirror has nothing of it"
    else:
        at = "" if each.serial is None else f" of serial {each.serial}"
        has = f"the mirror goes on serving its page{at} with {count(each.files, 'file')}"
    until = "" if not each.selected else "; it stays so until upstream changes it or a sync with --recheck"
    return f"{each.project}: forgotten; {has}{until}"
