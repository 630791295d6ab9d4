"""A mirror with every figure: what metrics are made from, in tests."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace
from packaging.utils import canonicalize_name

from pypi_mirror.ledger.runs import Outcome, Run, RunRequest, RunTotals
from pypi_mirror.model import RunKind, RunState, Tally
from pypi_mirror.observing.coverage import Coverage, PastAudit
from pypi_mirror.observing.dependencies import DependencyCounts
from pypi_mirror.observing.history import Forecast
from pypi_mirror.observing.metrics import Observed
from pypi_mirror.observing.overview import (
    Disk,
    InCooldown,
    Left,
    Overview,
    PlannedRemoval,
    Tombstones,
    Waiting,
)
from pypi_mirror.observing.progress import RunProgress
from pypi_mirror.run_label import RunName

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OVERVIEW = Overview(
    at=NOW,
    cursor=900,
    upstream_serial=1000,
    behind=100,
    lag_seconds=3600,
    upstream_silent_since=NOW - timedelta(minutes=5),
    updated_at=NOW - timedelta(hours=1),
    checked_at=NOW - timedelta(minutes=10),
    projects=730_000,
    files=15_000_000,
    bytes=100 * 10**12,
    dropped_files=7,
    dropped_bytes=8,
    backlog=4,
    parked=1,
    tombstones=Tombstones(count=3, bytes=30),
    cooldown=InCooldown(files=40, projects=30, next_due_at=NOW + timedelta(hours=2)),
    waiting=Waiting(
        plan="abc",
        run="r",
        run_name=RunName(text="r"),
        started_at=NOW - timedelta(hours=2),
        projects=501,
        touched=501,
        files=502,
        bytes=503,
        exceeded=("1% of the projects",),
        examples=(
            PlannedRemoval(project=canonicalize_name("old"), reason="gone", whole=True, files=2, bytes=3),
        ),
        grace_days=7,
        approval_hours=24,
        would="remove 501 projects, 502 files (503 bytes) and add 40 required projects (2 GB)",
        added_projects=40,
        added_bytes=2 * 10**9,
    ),
    disk=Disk(path="/srv", total=10**14, free=10**12, reserve=10**12 // 2),
    running="scheduled",
    left=Left(projects=12, bytes=None, runs=None),
    last_run=RunState.FAILED,
    paused_until=None,
    clock_ahead=None,
    unknown_names=(),
    dependencies=DependencyCounts(
        named=24, required=250, complete=True, unmet=5, no_longer_required=0, leaves_at=None
    ),
)
PROGRESS = RunProgress(
    label="scheduled",
    name=RunName(text="scheduled"),
    kind=RunKind.SYNC,
    started_at=NOW - timedelta(minutes=1),
    planned=50,
    done=20,
    failed=2,
    batches=2,
    batches_done=1,
    files=60,
    bytes=6000,
    bytes_a_second=100.0,
    projects_a_second=None,
    seconds_left=90,
    batch_list=(),
    pages=2000,
    pages_read=812,
)
AUDIT = PastAudit(
    name=RunName(text="audit"),
    state=RunState.SUCCESS,
    started_at=NOW,
    finished_at=NOW,
    reason=None,
    found={"corrupt file": 2},
    repaired=1,
    unrepaired=1,
)
COVERAGE = Coverage(
    days=30,
    oldest=None,
    never=True,
    projects=10,
    projects_covered=4,
    bytes=0,
    bytes_covered=0,
    needed_bytes=None,
    suffices=None,
    audits=(replace(AUDIT, found=None, unrepaired=None), AUDIT),
)
FAILED = Run(
    id=7,
    request=RunRequest(label="scheduled"),
    state=RunState.FAILED,
    started_at=1000,
    finished_at=1060,
    source="changelog",
    cursor_from=1,
    cursor_to=2,
    outcome=Outcome(tally=Tally(projects_done=5, projects_failed=1, files_downloaded=6, bytes_downloaded=7)),
)
OBSERVED = Observed(
    overview=OVERVIEW,
    progress=PROGRESS,
    coverage=COVERAGE,
    forecast=Forecast(full_at=NOW + timedelta(days=10), bytes_a_day=5),
    totals=(RunTotals(kind=RunKind.SYNC, state=RunState.FAILED, runs=3, files=4, bytes=5),),
    last=(FAILED,),
)
