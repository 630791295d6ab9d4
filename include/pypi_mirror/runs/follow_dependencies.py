"""Between steps 2 and 3: what the allowlist requires is followed, and what changes by it planned."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.catalogue import EntryState
from pypi_mirror.chunks import chunks
from pypi_mirror.errors import RunStopped
from pypi_mirror.facts.facts import Facts
from pypi_mirror.facts.values import Closure
from pypi_mirror.fetching.batch import Batch
from pypi_mirror.fetching.dependency_reader import DependenciesRead, DependencyReader, Following
from pypi_mirror.fetching.read_commit import ReadCommit
from pypi_mirror.ledger.lease import LeaseKeeper
from pypi_mirror.ledger.page_reads import PageRead
from pypi_mirror.ledger.results import Failed
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Action, PlannedProject, RunKind
from pypi_mirror.planning.bounds import choose_projects
from pypi_mirror.planning.decide_plan import look_up
from pypi_mirror.planning.following import named_rules, undemanded_seconds
from pypi_mirror.planning.plan import asked_for, removal
from pypi_mirror.settings.fingerprint import closure_fingerprint
from pypi_mirror.wording import count, moment_of

log = logging.getLogger(__name__)

# Seconds after which everything is followed again, to find what nothing requires any more.
_ANEW: Final = 86_400
# So many projects that have changed require little that is new.
_MANY: Final = 20


def follow_dependencies(
    mirror: Mirror,
    run_id: int,
    *,
    again: bool = True,
    should_stop: Callable[[], str | None] = lambda: None,
    on_followed: Callable[[int], None] = lambda _: None,
) -> tuple[Failed, ...]:
    """Find all that the allowlist requires, and plan what changes by it; return what could not be read. What
    failed earlier in this run is tried ``again`` or not.

    Projects are followed in waves: what is demanded of a project decides which of its releases are kept, and
    these demand others. Nothing is followed twice, by whatever run, before its page or the demands for it
    change. Raises RunStopped, UpstreamDown and LeaseLost as ``read_pages`` does.
    """
    run = mirror.ledger.runs.get(run_id)
    if not _follows(mirror, run):
        return ()
    closure = _begun(mirror, run)
    lost = set() if again else _failed_since(mirror, run)
    failed = follow_waves(mirror, run, lost, should_stop=should_stop, on_followed=on_followed)
    if not (lost or failed):
        _settle(mirror, run, closure)
    _plan(mirror, run)
    return failed


def _settle(mirror: Mirror, run: Run, closure: Closure) -> None:
    """Once all was followed, and when something that nothing requires any more is due to go."""
    now, keep = int(mirror.clock()), undemanded_seconds(mirror.settings)
    since = closure.undemanded_since
    if closure.complete and (since is None or now - since < keep):
        return
    since = mirror.ledger.dependencies.finish(run.id, now=now, keep=keep)
    mirror.ledger.facts.put(Facts.closure.to(replace(closure, complete=True, undemanded_since=since)))
    mirror.reload_demands()
    if left := mirror.ledger.dependency_graph.undemanded():
        log.info(
            "%s no longer required; the first leaves at %s ([removal] undemanded-days)",
            f"{count(len(left), 'project')} {'is' if len(left) == 1 else 'are'}",
            moment_of(min(left.values()) + keep),
        )


def follow_waves(
    mirror: Mirror,
    run: Run,
    lost: Collection[NormalizedName] = (),
    *,
    should_stop: Callable[[], str | None] = lambda: None,
    on_followed: Callable[[int], None] = lambda _: None,
) -> tuple[Failed, ...]:
    """Follow what is named, and what is found so, but for what is ``lost``; return what could not be read."""
    keep_lease = LeaseKeeper(mirror.ledger.lease, run.request.label)
    keep_lease()
    failed: dict[NormalizedName, Failed] = {}
    while names := [
        name for name in mirror.ledger.dependencies.to_follow() if name not in lost and name not in failed
    ]:
        log.info("following the dependencies of %s", count(len(names), "project"))
        for each in asyncio.run(_follow(mirror, run, names, keep_lease, should_stop, on_followed)):
            failed[each.planned.project] = each
        mirror.reload_demands()
    return tuple(failed.values())


def begin_following(mirror: Mirror, run_id: int) -> bool:
    """Begin as ``follow_dependencies`` does, and return whether the rest may take long: something is followed
    for the first time or again, or many projects have changed.
    """
    run = mirror.ledger.runs.get(run_id)
    if not _follows(mirror, run):
        return False
    is_anew = not _begun(mirror, run).complete
    left = mirror.ledger.dependencies.to_follow()
    if is_anew or len(left) > _MANY:
        return True
    return any(each.made_entry is None for each in mirror.ledger.dependencies.look_up(left).values())


def _follows(mirror: Mirror, run: Run) -> bool:
    return mirror.policy.follows and run.request.kind is RunKind.SYNC and mirror.scratch is None


def _failed_since(mirror: Mirror, run: Run) -> set[NormalizedName]:
    """What could not be read since the run began."""
    return {each.project for each in mirror.ledger.backlog.failed() if each.last_failed_at >= run.started_at}


def _begun(mirror: Mirror, run: Run) -> Closure:
    """What was followed before, or a new beginning: where filters have changed, where the allowlist names
    less, and once a day, since what is found in between only adds.
    """
    now = int(mirror.clock())
    fingerprint = closure_fingerprint(mirror.resolved)
    before = mirror.ledger.facts.closure
    rules, named = named_rules(mirror), mirror.ledger.dependencies.named()
    if before is not None and any(rules.get(name) != digest for name, digest in named.items()):
        # Noted first: a run that dies once the names are, has the next one begin again all the same.
        before = None
        mirror.ledger.facts.put(Facts.closure.to(None))
    mirror.ledger.dependencies.name(run.id, rules)
    if (
        before is None
        or before.fingerprint != fingerprint
        or (before.complete and not 0 <= now - before.began < _ANEW)
    ):
        mirror.ledger.dependencies.begin(run.id)
        before = Closure(fingerprint=fingerprint, began=now)
        mirror.ledger.facts.put(Facts.closure.to(before))
    return before


async def _follow(
    mirror: Mirror,
    run: Run,
    names: Sequence[NormalizedName],
    keep_lease: LeaseKeeper,
    should_stop: Callable[[], str | None],
    on_followed: Callable[[int], None],
) -> list[Failed]:
    failed: list[Failed] = []
    limit = mirror.failure_limit(run.id)

    def on_recorded(group: list[PageRead | Failed]) -> None:
        lost = [each for each in group if isinstance(each, Failed)]
        for each in lost:
            log.warning("%s: what it requires cannot be read: %s", each.planned.project, each.reason)
        failed.extend(lost)
        limit.recorded(lost)
        mirror.ledger.dependencies.record(
            run.id,
            [each.required for each in group if isinstance(each, DependenciesRead)],
            now=int(mirror.clock()),
        )
        on_followed(len(group))

    async with mirror.transport() as transport:
        reader: DependencyReader = mirror.dependency_reader(transport, run)
        await Batch(
            work=reader.read,
            look_up=lambda chunk: _known(mirror, chunk),
            commit=ReadCommit(mirror.page_reads(run), on_recorded),
            parallel=mirror.settings.workers,
            should_stop=lambda: limit() or should_stop(),
            on_failed=limit.failed,
            keep_alive=keep_lease,
            received=lambda: transport.received,
        ).run(_to_read(mirror, names))
    if (reason := limit()) is not None:
        raise RunStopped(reason)
    return failed


def _to_read(mirror: Mirror, names: Sequence[NormalizedName]) -> list[PlannedProject]:
    """What is asked of upstream for them: the page, where nobody has followed it."""
    return [
        PlannedProject(
            project=each.project,
            display_name=each.project,
            action=Action.SYNC,
            reason="its dependencies are followed",
            unread=each.made_entry is None and not each.named,
        )
        for chunk in chunks(names)
        for each in mirror.ledger.dependencies.look_up(chunk).values()
    ]


def _known(mirror: Mirror, planned: Sequence[PlannedProject]) -> list[Following]:
    to_follow = mirror.ledger.dependencies.look_up([each.project for each in planned])
    return [
        Following(before=before, to_follow=to_follow[each.project])
        for each, before in zip(planned, look_up(mirror, planned), strict=True)
    ]


def _plan(mirror: Mirror, run: Run) -> None:
    """Plan the projects for which other demands decide now."""
    changed = mirror.ledger.dependencies.changed()
    if not changed:
        return
    # Before it was found that others require them, they looked like what no rule selects.
    wanted = [name for name in changed if mirror.policy.rejection_reason(name) is None]
    mirror.ledger.plan.drop_removals(run.id, wanted)
    for chunk in chunks(changed):
        mirror.ledger.plan.add(run.id, _planned(mirror, chunk))
    choose_projects(mirror, run)


def _planned(mirror: Mirror, names: Sequence[NormalizedName]) -> Iterator[PlannedProject]:
    known = mirror.ledger.projects.known(names)
    entries = mirror.ledger.catalogue.entries(names, with_pages=False)
    for name in names:
        have, entry = known.get(name), entries.get(name)
        refused = mirror.policy.rejection_reason(name)
        if refused is not None:
            if have is not None and have.present:
                yield removal(have, refused)
        elif have is not None and have.present:
            yield replace(
                asked_for(have, "what is required of it has changed"), serial=have.serial, unread=False
            )
        elif entry is not None and entry.state is EntryState.PAGE:
            yield PlannedProject(
                project=name,
                display_name=name,
                action=Action.SYNC,
                reason="others require it",
                serial=entry.serial,
                unread=False,
            )
