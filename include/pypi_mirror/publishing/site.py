"""What the site serves beside the index: its own page, ``mirror.json`` and metrics; and in which layout.

After a change of ``hash-index`` the pages of the other layout stay until nobody is served them.
"""

from pypi_mirror.clock import utc
from pypi_mirror.disk.writing import write_atomically
from pypi_mirror.facts.facts import Facts
from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.history import disk_forecast
from pypi_mirror.observing.metrics import metrics
from pypi_mirror.observing.overview import overview
from pypi_mirror.observing.paging import shown
from pypi_mirror.planning.removals import silent_losses
from pypi_mirror.webserver.render import METRICS_NAME
from pypi_mirror.webserver.site_page import write_client_files, write_site_files
from pypi_mirror.webserver.status import (
    FollowedDependencies,
    LeftToDo,
    MirrorStatus,
    Unannounced,
    WaitingPlan,
    render_status,
)


def mirror_status(mirror: Mirror) -> MirrorStatus:
    """How full and how fresh the mirror is, from the ledger."""
    seen, refused = overview(mirror), mirror.ledger.left_out.totals()
    return shown(
        MirrorStatus,
        seen,
        left=None if seen.left is None else shown(LeftToDo, seen.left),
        waiting=None if seen.waiting is None else shown(WaitingPlan, seen.waiting),
        dependencies=None if seen.dependencies is None else shown(FollowedDependencies, seen.dependencies),
        held_files=seen.cooldown.files,
        disk_free=seen.disk.free,
        disk_full_at=disk_forecast(mirror).full_at,
        # mirror.json is public; paths of this machine are not.
        unmet_rules=tuple(dict.fromkeys(each.rule for each in seen.unmet_rules)),
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


def note_layout(mirror: Mirror) -> None:
    """Once, when the first pages are published: which layout the web server will be told of."""
    if mirror.ledger.facts.layout is None:
        mirror.ledger.facts.put(Facts.layout.to(_layout(mirror)))


def note_found_layout(mirror: Mirror, *, hashed: bool) -> None:
    """Pages were found in this layout, which the web server may serve."""
    mirror.ledger.facts.put(Facts.layout.to("hashed" if hashed else "flat"))


def tidy_layout(mirror: Mirror) -> None:
    """Remove the other layout's pages; to be called when the web server serves the settings' layout."""
    before = mirror.ledger.facts.layout
    if before == _layout(mirror):
        return
    if before is not None:
        for project in mirror.ledger.projects.all():
            mirror.pages.remove_other_layout(project.project)
    mirror.ledger.facts.put(Facts.layout.to(_layout(mirror)))


def is_tidy(mirror: Mirror) -> bool:
    """Whether nobody is served the other layout's pages any more."""
    return mirror.ledger.facts.layout == _layout(mirror)


def _layout(mirror: Mirror) -> str:
    return "hashed" if mirror.settings.hash_index else "flat"
