"""The figures as Prometheus' own library reads them, from values and from a mirror."""

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser

from pypi_mirror import __version__
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.observing.history import Forecast
from pypi_mirror.observing.metrics import metrics, render_metrics
from tests.observing.figures import NOW, OBSERVED, OVERVIEW
from tests.runs.bench import make_bench
from tests.warehouse import Corrupt, Fault, small


def families(text: bytes) -> dict[str, Metric]:
    """By name; the parser refuses what breaks the format: a unit that is not in the name, a missing end …"""
    return {family.name: family for family in parser.text_string_to_metric_families(text.decode())}  # type: ignore[no-untyped-call]


def values(text: bytes) -> dict[str, float]:
    """By sample: ``name`` or ``name{label="value"}``."""
    found = {}
    for family in families(text).values():
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_every_figure_is_there_with_its_unit_and_help() -> None:
    found = families(render_metrics(OBSERVED))
    assert all(name == "pypi_mirror" or name.startswith("pypi_mirror_") for name in found)
    assert all(family.documentation.endswith(".") for family in found.values())
    for name, family in found.items():
        last = name.rpartition("_")[2]
        assert family.unit == (last if last in ("seconds", "bytes", "ratio") else ""), name


def test_what_the_figures_are() -> None:
    found = values(render_metrics(OBSERVED))
    expected = {
        f'pypi_mirror_info{{version="{__version__}"}}': 1,
        "pypi_mirror_written_timestamp_seconds": NOW.timestamp(),
        "pypi_mirror_cursor_serial": 900,
        "pypi_mirror_upstream_serial": 1000,
        "pypi_mirror_behind_serials": 100,
        "pypi_mirror_lag_seconds": 3600,
        "pypi_mirror_upstream_silent_seconds": 300,
        "pypi_mirror_projects": 730_000,
        "pypi_mirror_files_bytes": 10**14,
        "pypi_mirror_backlog_projects": 4,
        "pypi_mirror_parked_projects": 1,
        "pypi_mirror_tombstones": 3,
        "pypi_mirror_tombstones_bytes": 30,
        "pypi_mirror_held_files": 40,
        "pypi_mirror_named_projects": 24,
        "pypi_mirror_required_projects": 250,
        "pypi_mirror_unmet_requirements": 5,
        "pypi_mirror_held_due_timestamp_seconds": (NOW + timedelta(hours=2)).timestamp(),
        "pypi_mirror_waiting_plans": 1,
        "pypi_mirror_waiting_projects": 501,
        "pypi_mirror_waiting_added_projects": 40,
        "pypi_mirror_waiting_added_bytes": 2 * 10**9,
        "pypi_mirror_left_projects": 12,
        "pypi_mirror_disk_free_bytes": 10**12,
        "pypi_mirror_disk_growth_bytes_per_day": 5,
        "pypi_mirror_disk_full_timestamp_seconds": (NOW + timedelta(days=10)).timestamp(),
        "pypi_mirror_clock_ahead_seconds": 0,
        "pypi_mirror_running": 1,
        "pypi_mirror_run_done_projects": 20,
        "pypi_mirror_run_left_seconds": 90,
        'pypi_mirror_last_run_state{kind="sync",pypi_mirror_last_run_state="failed"}': 1,
        'pypi_mirror_last_run_state{kind="sync",pypi_mirror_last_run_state="success"}': 0,
        'pypi_mirror_last_run_duration_seconds{kind="sync"}': 60,
        'pypi_mirror_last_run_finished_timestamp_seconds{kind="sync"}': 1060,
        'pypi_mirror_last_run_downloaded_bytes{kind="sync"}': 7,
        'pypi_mirror_runs_total{kind="sync",state="failed"}': 3,
        'pypi_mirror_downloaded_bytes_total{kind="sync",state="failed"}': 5,
        "pypi_mirror_audit_window_seconds": 30 * 86_400,
        "pypi_mirror_audit_covered_projects_ratio": 0.4,
        'pypi_mirror_audit_found{fault="corrupt file"}': 2,
        "pypi_mirror_audit_unrepaired": 1,
    }
    assert {name: found.get(name) for name in expected} == expected


def test_what_nobody_knows_is_left_out_and_not_zero() -> None:
    unknown = replace(
        OVERVIEW, cursor=None, upstream_serial=None, behind=None, lag_seconds=None, updated_at=None, left=None
    )
    idle = replace(
        OBSERVED, overview=unknown, progress=None, last=(), forecast=Forecast(full_at=None, bytes_a_day=None)
    )
    found = values(render_metrics(idle))
    for name in (
        "cursor_serial",
        "lag_seconds",
        "updated_timestamp_seconds",
        "left_bytes",
        "left_projects",
        "disk_full_timestamp_seconds",
        "run_planned_projects",
        "audit_covered_bytes_ratio",
        "audit_oldest_timestamp_seconds",
        "audit_suffices",
        "paused_until_timestamp_seconds",
    ):
        assert f"pypi_mirror_{name}" not in found, name
    assert found["pypi_mirror_running"] == 0


def test_a_text_that_was_cut_off_is_not_taken_for_a_whole_one() -> None:
    text = render_metrics(OBSERVED)
    assert text.endswith(b"\n# EOF\n")
    with pytest.raises(ValueError, match="EOF"):
        families(text[:-6])


def test_a_mirror_tells_of_itself(tmp_path: Path) -> None:
    with make_bench(tmp_path / "mirror", scenario=small()) as made:
        made.server.inject(Fault(path="/packages/*/old-1.0-*", effect=Corrupt(), times=None))
        made.sync()
        with made.open() as mirror:
            found = values(metrics(mirror))
            served = values((made.web / "metrics").read_bytes())
            totals = {(each.kind, each.state): each for each in mirror.ledger.runs.totals()}
    others = {name for name in found if not name.startswith("pypi_mirror_disk_")}
    assert {name: served[name] for name in others} == {name: found[name] for name in others}
    assert found["pypi_mirror_cursor_serial"] == made.server.warehouse.serial
    assert found["pypi_mirror_backlog_projects"] == 1
    assert found['pypi_mirror_last_run_state{kind="sync",pypi_mirror_last_run_state="failed"}'] == 1
    assert found['pypi_mirror_runs_total{kind="sync",state="failed"}'] == 1
    assert found['pypi_mirror_runs_total{kind="audit",state="success"}'] == 0, "a counter begins at 0"
    failed = totals[RunKind.SYNC, RunState.FAILED]
    assert failed.files == found["pypi_mirror_files"] > 0
    assert failed.bytes > found["pypi_mirror_files_bytes"] > 0, "with the metadata of wheels"
