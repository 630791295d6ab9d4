"""``pypi-mirror status``: how complete and how current the mirror is."""

import argparse
import sys
from datetime import datetime
from typing import Any

from pypi_mirror.alerts.conditions import AUDIT_FAILED, RUN_FAILED
from pypi_mirror.alerts.rules import conditions
from pypi_mirror.cli.output import say, warn
from pypi_mirror.facts.values import SilentLoss
from pypi_mirror.ledger.backlog import BacklogEntry
from pypi_mirror.ledger.left_out import LeftOut
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.model import RunState
from pypi_mirror.observing.cooldown import in_cooldown
from pypi_mirror.observing.dependencies import dependencies
from pypi_mirror.planning.lacking import lacking
from pypi_mirror.planning.pause import estimate
from pypi_mirror.planning.removals import silent_losses
from pypi_mirror.planning.to_do import Left, left
from pypi_mirror.publishing.grace import clock_warning
from pypi_mirror.publishing.site import mirror_status
from pypi_mirror.runs.raise_alerts import observe
from pypi_mirror.settings.read import read_settings
from pypi_mirror.webserver.status import MirrorStatus, render_status
from pypi_mirror.wording import count, duration, moment, moment_of, size

_SHOWN = 20


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "status",
        parents=[common],
        examples=(
            "pypi-mirror status             # for people",
            "pypi-mirror status --check     # for monitors: exits with 1 if anything is wrong",
        ),
    )
    parser.add_argument("--json", action="store_true", help="print the status as JSON, as in web/mirror.json")
    parser.add_argument(
        "--check",
        action="store_true",
        help="for monitors: say what is wrong, a line each, and exit with 1 if anything is",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    with open_mirror(settings, must_exist=True) as mirror:
        status = mirror_status(mirror)
        latest = next(iter(mirror.ledger.runs.latest(audits=False)), None)
        remaining = left(mirror)
        backlog = mirror.ledger.backlog.failed()
        problems = _problems(mirror) if arguments.check else ()
        lacks = lacking(mirror)
        refused = mirror.ledger.left_out.refused(limit=_SHOWN)
        silent = silent_losses(mirror)
        waiting = in_cooldown(mirror)
        followed = dependencies(mirror)
        lost = status.last_run is None and any(map(mirror.pages.is_complete, mirror.pages.names()))
    if lost:
        warn(
            "The ledger is empty, but pages exist: `pypi-mirror ledger rebuild` restores it; "
            "`pypi-mirror sync` takes over the tree"
        )
    if arguments.check and not arguments.json:
        warnings = [f"warning: {text}" for text in lacks]
        say("\n".join([*problems, *warnings]) or "Nothing is wrong.")
    elif arguments.json:
        sys.stdout.write(render_status(status).decode())
    else:
        print(f"directory       {settings.directory}")
        _print(status, backlog, remaining, latest, refused, silent, lacks)
        if waiting.next_due_at is not None:
            what = f"{count(waiting.files, 'file')} of {count(waiting.projects, 'project')}"
            say(f"in cooldown     {what}, the next is due at {moment(waiting.next_due_at)}")
        if followed is not None:
            said = [
                f"{count(followed.required, 'project')} required by {followed.named:,} that [allowlist] names"
            ]
            if followed.leaves_at is not None:
                leaves_at = moment(followed.leaves_at)
                said += [
                    f"{followed.no_longer_required:,} no longer required, the first leaves at {leaves_at}"
                ]
            if followed.unmet:
                said += [f"{count(len(followed.unmet), 'requirement')} not met, see `pypi-mirror plan`"]
            if not followed.complete:
                said += ["not all followed yet, the next sync does"]
            say(f"dependencies    {'; '.join(said)}")
    return 1 if problems else 0


def _problems(mirror: Mirror) -> tuple[str, ...]:
    """What people are alerted of, whether anybody was or not, and that no sync has ended well yet."""
    never = () if mirror.ledger.runs.last_success() else ("no sync has completed yet",)
    observed = observe(mirror)
    found = conditions(observed, mirror.settings.alerts, {})
    last = next(iter(mirror.ledger.runs.latest(audits=False)), None)
    has_failed = last is not None and last.state is RunState.FAILED and observed.waiting is None
    failed = (f"the last run failed{_why(last)}",) if has_failed else ()
    return (
        *failed,
        *never,
        *(each.title for each in found if not (failed and each.key in (RUN_FAILED, AUDIT_FAILED))),
    )


def next_try(entry: BacklogEntry) -> str:
    """``next try at 2026-11-22 13:05 UTC``."""
    return f"next try at {moment_of(entry.next_try_at)}"


def _lag(lag_seconds: int | None, silent_since: datetime | None) -> str:
    if lag_seconds is None:
        return "unknown"
    behind = f"{duration(lag_seconds)} behind upstream" if lag_seconds else "up to date"
    return behind if silent_since is None else f"{behind} when upstream last answered"


def _print_left(remaining: Left | None) -> None:
    if remaining is not None:
        hint = "" if remaining.runs is None else "; `pypi-mirror sync --all` takes it all at once"
        say(f"still to do     {estimate(remaining)}{hint}")


def _last_run(status: MirrorStatus, ended: Run | None) -> str:
    # As on the page in Airflow: a run that stopped because nobody approved its plan failed for that alone.
    if status.waiting is not None and status.last_run is RunState.FAILED:
        return "ended before it changed anything: its plan awaits approval"
    return f"{status.last_run or 'none yet'}{_why(ended)}"


def _why(run: Run | None) -> str:
    """The reason of a run that failed."""
    if run is None or run.state is not RunState.FAILED or run.outcome is None or not run.outcome.reason:
        return ""
    return f": {run.outcome.reason}"


def _print(
    status: MirrorStatus,
    backlog: list[BacklogEntry],
    remaining: Left | None,
    ended: Run | None,
    refused: list[LeftOut],
    lost: tuple[SilentLoss, ...],
    lacks: tuple[str, ...],
) -> None:
    serial = "none yet" if status.cursor is None else f"{status.cursor}, up to which it is complete"
    print(f"serial          {serial} (upstream's event number)")
    say(f"last run        {_last_run(status, ended)}")
    if status.paused_until is not None:
        say(f"paused          until {moment(status.paused_until)}; `pypi-mirror sync --now` does not wait")
    _print_left(remaining)
    complete = "none yet" if status.updated_at is None else f"ended {moment(status.updated_at)}"
    print(f"complete sync   {complete}")
    print(f"upstream asked  {'never' if status.checked_at is None else moment(status.checked_at)}")
    print(f"freshness       {_lag(status.lag_seconds, status.upstream_silent_since)}")
    if status.upstream_silent_since is not None:
        print(f"unreachable     upstream has not answered since {moment(status.upstream_silent_since)}")
    held = f"{count(status.projects, 'project')}, {count(status.files, 'file')}, {size(status.bytes)}"
    print(f"content         {held}")
    print(f"left out        {count(status.dropped_files, 'file')}, {size(status.dropped_bytes)}")
    if status.disk_free is not None:
        full = status.disk_full_at
        until = "" if full is None else f"; at last week's pace that lasts until {moment(full)}"
        print(f"disk            {size(status.disk_free)} free{until}")
    if (waiting := status.waiting) is not None:
        print(
            f"approval        plan {waiting.plan}, awaiting approval, would {waiting.would}: "
            f"{'; '.join(waiting.exceeded)}"
        )
        approve = f"`pypi-mirror sync --approve {waiting.plan}` runs it"
        say(f"                `pypi-mirror plan` lists it, {approve}")
    if status.clock_ahead is not None:
        print(f"clock           {clock_warning(status.clock_ahead)}")
    for text in lacks:
        print(f"not found       {text}")
    _print_refused(status, refused)
    for loss in lost[-_SHOWN:]:
        print(f"lost            {moment_of(loss.at)}: {loss}")
    _print_backlog(status, backlog)


def _print_refused(status: MirrorStatus, refused: list[LeftOut]) -> None:
    if status.refused_files or status.refused_fields:
        parts = f"{count(status.refused_files, 'file')}, {count(status.refused_fields, 'value')}"
        print(f"refused         {parts} of upstream's pages, which are invalid or unsafe")
        for left_out in refused:
            say(f"  {left_out}")


def _print_backlog(status: MirrorStatus, backlog: list[BacklogEntry]) -> None:
    parked = f", {status.parked:,} of them parked" if status.parked else ""
    print(f"backlog         {count(status.backlog, 'project')}{parked}")
    for entry in backlog[:_SHOWN]:
        tries = count(entry.attempts, "attempt") + (", parked" if entry.parked else "")
        say(f"  {entry.project}: {entry.reason} ({tries}, {next_try(entry)})")
    if len(backlog) > _SHOWN:
        print(f"  and {len(backlog) - _SHOWN} more")
