"""Step 3: decide over the plan, weigh it, and cut it into batches."""

from msgspec import Struct

from pypi_mirror.errors import RunStopped
from pypi_mirror.facts.facts import Facts
from pypi_mirror.facts.values import Removals
from pypi_mirror.ledger.plan import BatchSize
from pypi_mirror.mirror import Mirror
from pypi_mirror.planning.bounds import bounding_option, cut_plan
from pypi_mirror.planning.decide_plan import decide_plan
from pypi_mirror.planning.list_projects import list_projects
from pypi_mirror.planning.pause import is_edited, pause_of
from pypi_mirror.planning.plan import WORTH_A_TASK
from pypi_mirror.planning.removals import weigh_removals
from pypi_mirror.planning.to_do import goes_on
from pypi_mirror.runs.follow_dependencies import follow_dependencies
from pypi_mirror.runs.read_pages import read_pages
from pypi_mirror.wording import count


class Batch(Struct, frozen=True, kw_only=True):
    """A part of the plan; ``name`` tells people what it holds."""

    number: int
    name: str
    projects: int
    new_bytes: int


class Partition(Struct, frozen=True, kw_only=True):
    """The plan of a run in figures; ``projects`` counts removals too, and ``weighed`` says what they cost.

    ``left`` projects are planned besides and left to later runs: they are over the bound of this one, which
    the option ``left_by`` of ``[schedule]`` sets.
    """

    run_id: int
    projects: int
    removals: int
    batches: tuple[Batch, ...]
    weighed: Removals
    left: int = 0
    left_by: str = ""


def partition_projects(
    mirror: Mirror,
    run_id: int,
    *,
    batch_size: int | None = None,
    at_least: int = 1,
    smallest: int = WORTH_A_TASK,
    listed: bool = False,
    read: bool = True,
) -> Partition:
    """Decide over the plan of run ``run_id``, weigh what it removes, and cut it into batches.

    The projects are those that ``list_projects`` has found, which this does too unless they are ``listed`` by
    the rules in force.
    Pages that are not read yet are read, and dependencies followed, unless ``read`` is off: then the plan
    says nothing of their projects.
    A batch holds ``batch_size`` projects on average (default: the settings'), fewer where there is work for
    ``at_least`` as many batches of what ``smallest`` projects cost or more.

    Raises RunStopped when so many projects cannot be read, or are withheld, that the settings end the run.
    """
    run = mirror.ledger.runs.get(run_id)
    mirror.ledger.lease.renew(run.request.label)
    # Another run's pause stays true until this one has downloaded: it may be a dry run.
    if not run.request.dry_run and (run.request.any_hour or pause_of(mirror, run_id) is not None):
        mirror.ledger.facts.put(Facts.pause.to(None))
    if not listed or is_edited(mirror, run):
        list_projects(mirror, run_id)
        run = mirror.ledger.runs.get(run_id)
    if read:
        read_pages(mirror, run_id, again=not listed)
        follow_dependencies(mirror, run_id, again=not listed)
    limit = mirror.failure_limit(run_id)
    limit.recorded(decide_plan(mirror, run))
    if (reason := limit()) is not None:
        raise RunStopped(reason)
    looked, pages = mirror.ledger.facts.pages_found or (run_id, 0)
    weighed = weigh_removals(
        mirror, run_id, pages=pages if looked == run_id else 0, besides_approved=goes_on(mirror, run)
    )
    size = batch_size or mirror.settings.schedule.batch_size
    cut_plan(mirror, run, batch_size=size, at_least=at_least, smallest=smallest)
    sizes = mirror.ledger.plan.batches(run_id)
    return Partition(
        run_id=run_id,
        projects=sum(size.projects for size in sizes),
        removals=sum(size.removals for size in sizes),
        batches=tuple(_batch(size) for size in sizes),
        weighed=weighed,
        left=mirror.ledger.plan.left(run_id),
        left_by=bounding_option(mirror, run_id),
    )


def batch_name(mirror: Mirror, run_id: int, number: int) -> str:
    """What batch ``number`` of a planned run holds, for people: ``aiohttp … black, 700 projects``."""
    (size,) = mirror.ledger.plan.batches(run_id, number)
    return _name(size)


def _name(size: BatchSize) -> str:
    return (
        size.first if size.projects == 1 else f"{size.first} … {size.last}, {count(size.projects, 'project')}"
    )


def _batch(size: BatchSize) -> Batch:
    return Batch(number=size.number, name=_name(size), projects=size.projects, new_bytes=size.new_bytes)
