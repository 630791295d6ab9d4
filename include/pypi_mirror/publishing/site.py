"""The site's own page, and ``mirror.json`` for monitors: how full and how fresh the mirror is."""

from datetime import UTC, datetime

from pypi_mirror.disk.writing import write_atomically
from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.history import disk_forecast
from pypi_mirror.observing.metrics import metrics
from pypi_mirror.observing.overview import overview
from pypi_mirror.planning.silent_losses import silent_losses
from pypi_mirror.webserver.render import METRICS_NAME
from pypi_mirror.webserver.site_page import write_client_files, write_site_files
from pypi_mirror.webserver.status import LeftToDo, MirrorStatus, Unannounced, WaitingPlan, render_status


def mirror_status(mirror: Mirror) -> MirrorStatus:
    """How full and how fresh the mirror is, from the ledger."""
    seen = overview(mirror)
    waiting = seen.waiting
    refused = mirror.ledger.left_out.totals()
    return MirrorStatus(
        cursor=seen.cursor,
        upstream_serial=seen.upstream_serial,
        lag_seconds=seen.lag_seconds,
        upstream_silent_since=seen.upstream_silent_since,
        updated_at=seen.updated_at,
        checked_at=seen.checked_at,
        projects=seen.projects,
        files=seen.files,
        bytes=seen.bytes,
        dropped_files=seen.dropped_files,
        dropped_bytes=seen.dropped_bytes,
        last_run=seen.last_run,
        paused_until=seen.paused_until,
        left=None if seen.left is None else LeftToDo(projects=seen.left.projects, bytes=seen.left.bytes),
        backlog=seen.backlog,
        parked=seen.parked,
        waiting=None
        if waiting is None
        else WaitingPlan(
            plan=waiting.plan,
            projects=waiting.projects,
            files=waiting.files,
            bytes=waiting.bytes,
            exceeded=waiting.exceeded,
        ),
        clock_ahead=seen.clock_ahead,
        disk_free=seen.disk.free,
        disk_full_at=disk_forecast(mirror).full_at,
        unknown_names=seen.unknown_names,
        refused_files=refused.files,
        refused_fields=refused.fields,
        silent_losses=tuple(
            Unannounced(
                project=each.project,
                files=each.files,
                bytes=each.bytes,
                is_gone=each.is_gone,
                at=datetime.fromtimestamp(each.at, UTC),
            )
            for each in silent_losses(mirror)
        ),
    )


def show_site(mirror: Mirror, *, changed: bool = True) -> None:
    """Bring the site's page up to date; a run that changed nothing only says that it looked, unless the site
    has another address.
    """
    status = mirror_status(mirror)
    page = mirror.settings.web / "index.html"
    if write_client_files(mirror.settings) or changed or not page.exists():
        write_site_files(mirror.resolved, status)
    else:
        write_atomically(mirror.settings.web / "mirror.json", render_status(status))


def write_metrics(mirror: Mirror) -> None:
    """Bring ``web/metrics`` up to date: at the end of a run or an audit, and by who watches in between.

    Each figure is a read of the ledger, so it is not for the middle of a batch.
    """
    write_atomically(mirror.settings.web / METRICS_NAME, metrics(mirror))
