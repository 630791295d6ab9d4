"""A sample of the mirror's size, disk and lag, for charts and for the forecast of its disk."""

from pypi_mirror.changes.upstream_state import lag_of
from pypi_mirror.disk.room import room_of
from pypi_mirror.ledger.samples import Sample
from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.under_way import run_under_way


def take_sample(mirror: Mirror) -> bool:
    """Note how large and how far behind the mirror is; at most once a minute. Returns whether it was due.

    To be called now and then, by whoever is at work: the last step of a run, a batch while it downloads, and
    who watches between runs. In a mirror of 800,000 projects it takes half a second.
    """
    now = int(mirror.clock())
    if not mirror.ledger.samples.is_due(now):
        return False
    totals = mirror.ledger.projects.totals()
    room = room_of(mirror.settings.web / "packages")
    run = run_under_way(mirror)
    counts = [] if run is None else mirror.ledger.listings.batch_counts(run.id)
    mirror.ledger.samples.add(
        Sample(
            at=now,
            projects=totals.projects,
            files=totals.files,
            bytes=totals.bytes,
            disk_used=room.size - room.free,
            disk_free=room.free,
            lag_seconds=lag_of(mirror),
            backlog=mirror.ledger.backlog.count(),
            run_id=None if run is None else run.id,
            run_projects=None if run is None else sum(each.done + each.failed for each in counts),
            run_bytes=None if run is None else sum(each.bytes for each in counts),
        )
    )
    return True
