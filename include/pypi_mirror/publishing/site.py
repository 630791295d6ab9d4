"""The site's own page, and ``mirror.json`` for monitors: how full and how fresh the mirror is."""

from pypi_mirror.clock import utc
from pypi_mirror.disk.writing import write_atomically
from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.history import disk_forecast
from pypi_mirror.observing.metrics import metrics
from pypi_mirror.observing.overview import overview
from pypi_mirror.observing.paging import shown
from pypi_mirror.planning.silent_losses import silent_losses
from pypi_mirror.webserver.render import METRICS_NAME
from pypi_mirror.webserver.site_page import write_client_files, write_site_files
from pypi_mirror.webserver.status import LeftToDo, MirrorStatus, Unannounced, WaitingPlan, render_status


def mirror_status(mirror: Mirror) -> MirrorStatus:
    """How full and how fresh the mirror is, from the ledger."""
    seen, refused = overview(mirror), mirror.ledger.left_out.totals()
    return shown(
        MirrorStatus,
        seen,
        left=None if seen.left is None else shown(LeftToDo, seen.left),
        waiting=None if seen.waiting is None else shown(WaitingPlan, seen.waiting),
        disk_free=seen.disk.free,
        disk_full_at=disk_forecast(mirror).full_at,
        refused_files=refused.files,
        refused_fields=refused.fields,
        silent_losses=tuple(shown(Unannounced, each, at=utc(each.at)) for each in silent_losses(mirror)),
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
