"""The mirror's figures as OpenMetrics text, for Prometheus and whatever else reads that.

Names begin with ``pypi_mirror_`` and end with their unit; times are seconds since 1970. A figure that nobody
knows is left out, and not 0. Nothing in it is secret: it says how much there is, never what or where.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pypi_mirror import __version__
from pypi_mirror.ledger.runs import Run, RunTotals
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind, RunState, Tally
from pypi_mirror.observing.coverage import Coverage, coverage
from pypi_mirror.observing.history import Forecast, disk_forecast
from pypi_mirror.observing.overview import Overview, overview
from pypi_mirror.observing.progress import RunProgress, progress
from pypi_mirror.webserver.render import METRICS_TYPE

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE: Final = METRICS_TYPE
_SECONDS_A_DAY: Final = 86_400


class Observed(Struct, frozen=True, kw_only=True):
    """All that the text is made from. ``last`` has the newest run of each kind that has ended."""

    overview: Overview
    progress: RunProgress | None
    coverage: Coverage
    forecast: Forecast
    totals: tuple[RunTotals, ...]
    last: Sequence[Run]


def metrics(mirror: Mirror) -> bytes:
    """The mirror as it is now, ready to be served as ``CONTENT_TYPE``."""
    return render_metrics(
        Observed(
            overview=overview(mirror),
            progress=progress(mirror),
            coverage=coverage(mirror),
            forecast=disk_forecast(mirror),
            totals=mirror.ledger.runs.totals(),
            last=mirror.ledger.runs.last_of_each_kind(),
        )
    )


def render_metrics(observed: Observed) -> bytes:
    """As text, with types, units, help and the end that tells a whole text from one that was cut off."""
    # A thirtieth of a second to import, and only the last step of a run and the watch need it.
    from prometheus_client import CollectorRegistry
    from prometheus_client.openmetrics.exposition import generate_latest
    from prometheus_client.registry import Collector

    class Collected(Collector):
        def collect(self) -> Iterator["Metric"]:
            yield from _families(observed)

    # Of our own: the library's default one tells of this process, which is over in a moment.
    registry = CollectorRegistry()
    registry.register(Collected())
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text


def _families(observed: Observed) -> Iterator["Metric"]:
    from prometheus_client.core import InfoMetricFamily

    yield InfoMetricFamily("pypi_mirror", "The program that keeps the mirror.", {"version": __version__})
    yield from _freshness(observed.overview)
    yield from _holdings(observed.overview)
    yield from _attention(observed.overview)
    yield from _disk(observed.overview, observed.forecast)
    yield from _under_way(observed.progress)
    yield from _last_runs(observed.last)
    yield from _all_runs(observed.totals)
    yield from _audits(observed.coverage)


def _freshness(at: Overview) -> Iterator["Metric"]:
    yield _gauge("written_timestamp_seconds", "When these figures were taken.", _time(at.at))
    yield _gauge("cursor_serial", "The serial of upstream that the mirror is complete up to.", at.cursor)
    yield _gauge("upstream_serial", "The newest serial that upstream was seen at.", at.upstream_serial)
    yield _gauge("behind_serials", "How many serials the mirror is behind upstream.", at.behind)
    yield _gauge("lag_seconds", "How long the mirror has lacked something upstream has.", at.lag_seconds)
    silent = 0.0 if at.upstream_silent_since is None else (at.at - at.upstream_silent_since).total_seconds()
    yield _gauge(
        "upstream_silent_seconds", "How long upstream could not be asked; 0 while it answers.", silent
    )
    yield _gauge("updated_timestamp_seconds", "When the last complete run ended.", _time(at.updated_at))
    yield _gauge("checked_timestamp_seconds", "When upstream last said what is new.", _time(at.checked_at))
    yield _gauge(
        "clock_ahead_seconds", "How far this machine's clock is ahead of upstream's.", at.clock_ahead or 0
    )


def _holdings(at: Overview) -> Iterator["Metric"]:
    yield _gauge("projects", "Projects that the mirror serves.", at.projects)
    yield _gauge("files", "Files that its pages list.", at.files)
    yield _gauge("files_bytes", "The size of the files that its pages list.", at.bytes)
    yield _gauge("dropped_files", "Files of its projects that the filters leave out.", at.dropped_files)
    yield _gauge("dropped_bytes", "The size of the files that the filters leave out.", at.dropped_bytes)
    yield _gauge(
        "tombstones", "Files that no page lists any more and that are still there.", at.tombstones.count
    )
    yield _gauge(
        "tombstones_bytes", "The size of the files that no page lists any more.", at.tombstones.bytes
    )
    yield _gauge("held_files", "New files in cooldown, which no page lists yet.", at.cooldown.files)
    yield _gauge(
        "held_due_timestamp_seconds", "When the next of them is due.", _time(at.cooldown.next_due_at)
    )
    if at.dependencies is not None:
        followed = at.dependencies
        yield _gauge("named_projects", "Projects that [allowlist] names.", followed.named)
        yield _gauge("required_projects", "Other projects that these require.", followed.required)
        yield _gauge("unmet_requirements", "Requirements that nothing in the mirror meets.", followed.unmet)
    if at.left is not None:
        yield _gauge("left_projects", "Projects that syncs have still to do.", at.left.projects)
        yield _gauge("left_bytes", "An estimate of what they have still to download.", at.left.bytes)
        yield _gauge("left_runs", "An estimate of how many more runs that takes.", at.left.runs)


def _attention(at: Overview) -> Iterator["Metric"]:
    yield _gauge("backlog_projects", "Projects that failed, and are tried again.", at.backlog)
    yield _gauge("parked_projects", "Those of the backlog that failed too often.", at.parked)
    yield _gauge(
        "unknown_names",
        "Names in [allowlist] packages or requirements that upstream does not list.",
        len(at.unknown_names),
    )
    plan = at.waiting
    yield _gauge("waiting_plans", "Plans that wait for a person's approval.", int(plan is not None))
    yield _gauge("waiting_projects", "Projects that such a plan removes.", plan.projects if plan else 0)
    yield _gauge("waiting_files", "Files that such a plan takes off the pages.", plan.files if plan else 0)
    yield _gauge("waiting_bytes", "The size of these files.", plan.bytes if plan else 0)
    added_projects, added_bytes = (plan.added_projects, plan.added_bytes) if plan else (0, 0)
    yield _gauge("waiting_added_projects", "Required projects that such a plan adds.", added_projects)
    yield _gauge("waiting_added_bytes", "The size of their files.", added_bytes)
    yield _gauge("paused_until_timestamp_seconds", "When download-window opens.", _time(at.paused_until))


def _disk(at: Overview, forecast: Forecast) -> Iterator["Metric"]:
    yield _gauge("disk_size_bytes", "The disk of the pool.", at.disk.total)
    yield _gauge("disk_free_bytes", "What the mirror may still write to it.", at.disk.free)
    yield _gauge("disk_reserve_bytes", "What a sync leaves free of it.", at.disk.reserve)
    yield _gauge("disk_growth_bytes_per_day", "How fast it fills, by the last weeks.", forecast.bytes_a_day)
    yield _gauge("disk_full_timestamp_seconds", "When only its reserve is left.", _time(forecast.full_at))


def _under_way(run: RunProgress | None) -> Iterator["Metric"]:
    yield _gauge("running", "Whether a run is under way.", int(run is not None))
    if run is None:
        return
    yield _gauge("run_started_timestamp_seconds", "When the run under way began.", _time(run.started_at))
    yield _gauge("run_pages", "Pages of upstream's that it reads before it has a plan.", run.pages)
    yield _gauge("run_read_pages", "Those of them that it has read.", run.pages_read)
    yield _gauge("run_planned_projects", "Projects of its plan.", run.planned)
    yield _gauge("run_done_projects", "Projects that it has done.", run.done)
    yield _gauge("run_failed_projects", "Projects that failed in it.", run.failed)
    yield _gauge("run_downloaded_bytes", "What it has downloaded.", run.bytes)
    yield _gauge("run_left_seconds", "An estimate of how long it still takes.", run.seconds_left)


def _last_runs(last: Sequence[Run]) -> Iterator["Metric"]:
    from prometheus_client.core import StateSetMetricFamily

    states = StateSetMetricFamily(
        "pypi_mirror_last_run_state", "How the last run of each kind ended.", labels=["kind"]
    )
    for run in last:
        ended = (RunState.SUCCESS, RunState.FAILED, RunState.PAUSED)
        states.add_metric([run.request.kind], {state.value: run.state is state for state in ended})
    yield states
    tallies = {run.request.kind: Tally() if run.outcome is None else run.outcome.tally for run in last}
    ends = {run.request.kind: run.finished_at for run in last}
    durations = {
        run.request.kind: None if run.finished_at is None else run.finished_at - run.started_at
        for run in last
    }
    yield _by_kind("last_run_finished_timestamp_seconds", "When it ended.", ends)
    yield _by_kind("last_run_duration_seconds", "How long it took.", durations)
    for name, text, field in (
        ("last_run_projects", "Projects that it synced or removed.", "projects_done"),
        ("last_run_failed_projects", "Projects that failed in it.", "projects_failed"),
        ("last_run_downloaded_files", "Files that it downloaded.", "files_downloaded"),
        ("last_run_downloaded_bytes", "What it downloaded.", "bytes_downloaded"),
    ):
        yield _by_kind(name, text, {kind: getattr(tally, field) for kind, tally in tallies.items()})


def _all_runs(totals: Sequence[RunTotals]) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily

    labels = ["kind", "state"]
    runs = CounterMetricFamily("pypi_mirror_runs", "Runs that have ended.", labels=labels)
    files = CounterMetricFamily("pypi_mirror_downloaded_files", "Files that they downloaded.", labels=labels)
    sizes = CounterMetricFamily(
        "pypi_mirror_downloaded_bytes", "What they downloaded.", labels=labels, unit="bytes"
    )
    for each in totals:
        runs.add_metric([each.kind, each.state], each.runs)
        files.add_metric([each.kind, each.state], each.files)
        sizes.add_metric([each.kind, each.state], each.bytes)
    yield from (runs, files, sizes)


def _audits(audited: Coverage) -> Iterator["Metric"]:
    from prometheus_client.core import GaugeMetricFamily

    yield _gauge(
        "audit_window_seconds",
        "Period in which everything should be audited once.",
        audited.days * _SECONDS_A_DAY,
    )
    for of, had, all_ in (
        ("projects", audited.projects_covered, audited.projects),
        ("bytes", audited.bytes_covered, audited.bytes),
    ):
        share = had / all_ if all_ else None
        yield _gauge(f"audit_covered_{of}_ratio", f"The share of the {of} that was audited in time.", share)
    yield _gauge(
        "audit_oldest_timestamp_seconds",
        "When the project that was audited longest ago was audited.",
        _time(audited.oldest),
    )
    yield _gauge(
        "audit_suffices",
        "Whether [audit] gigabytes-per-run is enough for all to be audited in time.",
        None if audited.suffices is None else int(audited.suffices),
    )
    last = next((each for each in audited.audits if each.found is not None), None)
    found = GaugeMetricFamily(
        "pypi_mirror_audit_found", "Faults that the last audit found.", labels=["fault"]
    )
    for fault, number in sorted((last.found or {}).items() if last else ()):
        found.add_metric([fault], number)
    yield found
    yield _gauge(
        "audit_unrepaired", "Faults that it did not repair.", None if last is None else last.unrepaired
    )


def _gauge(name: str, text: str, value: float | None) -> "Metric":
    """A figure; without a sample where it is not known."""
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"pypi_mirror_{name}", text, unit=_unit(name))
    if value is not None:
        family.add_metric([], value)
    return family


def _by_kind(name: str, text: str, values: Mapping[RunKind, float | None]) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"pypi_mirror_{name}", text, labels=["kind"], unit=_unit(name))
    for kind, value in values.items():
        if value is not None:
            family.add_metric([kind], value)
    return family


def _unit(name: str) -> str:
    """A family's name ends with its unit (OpenMetrics 1.0, "Unit")."""
    unit = name.rpartition("_")[2]
    return unit if unit in ("seconds", "bytes", "ratio") else ""


def _time(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
