"""Step 2: read upstream's pages that the plan needs and the catalogue has not, or not as new."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from msgspec import Struct

from pypi_mirror.errors import RunStopped
from pypi_mirror.fetching.batch import Batch
from pypi_mirror.fetching.deciding import Before
from pypi_mirror.fetching.read_commit import ReadCommit
from pypi_mirror.ledger.lease import LeaseKeeper
from pypi_mirror.ledger.page_reads import PageRead
from pypi_mirror.ledger.plan import NameRange
from pypi_mirror.ledger.results import Failed
from pypi_mirror.mirror import Mirror, share
from pypi_mirror.model import PlannedProject

log = logging.getLogger(__name__)

# Pages that may be under way at once, over the number of requests: some wait until upstream has caught up.
_PAGES_PER_WORKER = 2
# Rows of the plan that are in memory at once.
_AT_ONCE = 20_000


class PagesRead(Struct, frozen=True, kw_only=True):
    """How many pages were asked for, and the projects that upstream gave none of that can be believed."""

    asked: int
    failed: tuple[Failed, ...]


def read_pages(
    mirror: Mirror,
    run_id: int,
    *,
    again: bool = True,
    should_stop: Callable[[], str | None] = lambda: None,
    on_read: Callable[[int], None] = lambda _: None,
) -> PagesRead:
    """Read the pages of the projects that run ``run_id`` takes; what a try before has read is not asked for,
    and what failed in it is asked for ``again`` or not.

    ``should_stop`` is asked again and again, ``on_read`` is told how many pages each recorded group has. What
    cannot be read is on the backlog, and the catalogue has of it what it had.

    Raises RunStopped under stop-on-error, past max-failures, or when ``should_stop`` says so; UpstreamDown
    when upstream answers nothing any more, LeaseLost when another run has taken the mirror over.
    """
    run = mirror.ledger.runs.get(run_id)
    mirror.ledger.lease.renew(run.request.label)
    if again:
        mirror.ledger.plan.reopen_unread(run_id)
    mirror.ledger.plan.note_unread(run_id, since=run.started_at, now=int(mirror.clock()))
    if not mirror.ledger.plan.count_unread(run_id):
        return PagesRead(asked=0, failed=())
    return read_range(mirror, run_id, None, should_stop=should_stop, on_read=on_read)


def read_range(
    mirror: Mirror,
    run_id: int,
    within: NameRange | None,
    *,
    sharers: int = 1,
    should_stop: Callable[[], str | None] = lambda: None,
    on_read: Callable[[int], None] = lambda _: None,
) -> PagesRead:
    """The pages of ``list_projects``'s projects ``within`` a range of names, None for all, read as
    ``read_pages`` does. ``sharers`` ranges at most are read at once, this one among them.
    """
    run = mirror.ledger.runs.get(run_id)
    keep_lease = LeaseKeeper(mirror.ledger.lease, run.request.label)
    keep_lease()
    limit = mirror.failure_limit(run_id)
    asked = 0
    failed: list[Failed] = []

    def on_recorded(group: list[PageRead | Failed]) -> None:
        lost = [each for each in group if isinstance(each, Failed)]
        for each in lost:
            log.warning("%s: its page cannot be read: %s", each.planned.project, each.reason)
        failed.extend(lost)
        limit.recorded(lost)
        on_read(len(group))

    async def read() -> None:
        nonlocal asked
        async with mirror.transport(sharers=sharers) as transport:
            reader = mirror.page_reader(transport, run)

            async def work(project: PlannedProject, before: Before) -> PageRead:
                reading = await reader.read(project, before.project, before.entry)
                return PageRead(
                    planned=project, entry=reading.entry, confirmed=reading.confirmed, seen=reading.seen
                )

            # What was read, or has failed, is not unread any more.
            while planned := mirror.ledger.plan.unread(run_id, _AT_ONCE, within):
                asked += len(planned)
                await Batch(
                    work=work,
                    look_up=lambda chunk: _known(mirror, chunk),
                    commit=ReadCommit(mirror.page_reads(run), on_recorded),
                    parallel=share(mirror.settings.workers, sharers) * _PAGES_PER_WORKER,
                    should_stop=lambda: limit() or should_stop(),
                    on_failed=limit.failed,
                    keep_alive=keep_lease,
                    received=lambda: transport.received,
                ).run(planned)

    asyncio.run(read())
    if (reason := limit()) is not None:
        raise RunStopped(reason)
    return PagesRead(asked=asked, failed=tuple(failed))


def _known(mirror: Mirror, planned: Sequence[PlannedProject]) -> list[Before]:
    """What reading has to know of each of ``planned``: neither files nor pages."""
    names = [each.project for each in planned]
    known = mirror.ledger.projects.known(names)
    entries = mirror.ledger.catalogue.entries(names, with_pages=False)
    return [Before(project=known.get(name), files={}, entry=entries.get(name)) for name in names]
