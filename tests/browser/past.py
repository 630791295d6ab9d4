"""A month behind a mirror that is about to be made: samples and runs, for charts to show."""

import math
import time

from pypi_mirror.disk.room import room_of
from pypi_mirror.ledger.runs import Outcome, RunRequest, Runs
from pypi_mirror.ledger.samples import Sample
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind, RunState, Tally

HOUR, DAY = 3600, 86400
DAYS = 30
RUNS_A_DAY = 2


def write_past(mirror: Mirror) -> None:
    """Two runs a day, one in nine failed and one in eight an audit; a sample every three hours."""
    now = int(time.time())
    for number in range(DAYS * RUNS_A_DAY):
        _run(mirror, number, began=now - DAYS * DAY + number * DAY // RUNS_A_DAY + HOUR)
    room = room_of(mirror.settings.web)
    growth = (room.size - room.free) // 4
    for at in range(now - DAYS * DAY, now - HOUR, 3 * HOUR):
        passed = (at - now + DAYS * DAY) / (DAYS * DAY)
        grown = round(growth * (passed - 1))
        mirror.ledger.samples.add(
            Sample(
                at=at,
                projects=round(5 * (1 + passed)),
                files=round(6 * (1 + passed)),
                bytes=round(2_500_000 * (1 + passed)),
                disk_used=room.size - room.free + grown,
                disk_free=room.free - grown,
                lag_seconds=round(max(0.0, 2 * HOUR * math.sin(at / DAY) ** 5)),
                backlog=round(6 + 4 * math.sin(at / 2 / DAY)),
            )
        )


def _run(mirror: Mirror, number: int, *, began: int) -> None:
    kind = RunKind.AUDIT if number % 8 == 5 else RunKind.SYNC
    failed = number % 9 == 4
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(began))
    label = f"{'audit ' if kind is RunKind.AUDIT else ''}scheduled__{moment}"
    runs = Runs(mirror.ledger.engine, _At(began))
    run = runs.begin(RunRequest(label=label, kind=kind))
    tally = Tally(
        projects_done=1 + number * 7 % 10,
        projects_failed=2 if failed else 0,
        files_downloaded=0 if kind is RunKind.AUDIT else 1 + number * 131 % 9,
        bytes_downloaded=0 if kind is RunKind.AUDIT else 10**5 * (1 + number * 37 % 11),
    )
    reason = "2 projects failed that did not before: the page of each was cut off" if failed else None
    ended = Runs(mirror.ledger.engine, _At(began + 300 + number * 53 % 600))
    ended.finish(run.id, RunState.FAILED if failed else RunState.SUCCESS, Outcome(tally=tally, reason=reason))


class _At:
    """A clock that stands still."""

    def __init__(self, at: int) -> None:
        self._at = at

    def __call__(self) -> float:
        return float(self._at)
