"""One run at a time a mirror: a lease that its owner renews and that a dead owner loses.

There is one row at most, and it stays when the lease ends: it names the run that wrote last. A run whose
name is in it, its lease expired or given up, may go on, since nobody has touched the mirror in between; a run
whose name was replaced may not, since its plan and its cursor are those of the past.
"""

import time
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, case, or_, select, update

from pypi_mirror.clock import Clock
from pypi_mirror.errors import LeaseLost, MirrorBusy
from pypi_mirror.ledger.tables import lease, runs
from pypi_mirror.ledger.writing import insert
from pypi_mirror.transport.patience import LONGEST_PAUSE
from pypi_mirror.wording import moment_of

# Long enough for the slowest stretch between two renewals, short enough to wait out a dead owner.
SECONDS: Final = 900
# Clocks of different hosts agree within this many seconds, or leases mean nothing at all.
_CLOCK_ERROR: Final = SECONDS
# Between two renewals by one that is at work.
_RENEW_SECONDS: Final = 60.0
# No expiry lies further ahead than this, but for one that a wrong clock made.
_LATEST: Final = LONGEST_PAUSE + SECONDS + _CLOCK_ERROR


class Lease:
    """``owner`` is a run's label: every task or process of that run may renew it."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def take(self, owner: str) -> None:
        """Take or renew the lease for ``owner``; raises MirrorBusy while another owner's is alive."""
        now = int(self._clock())
        statement = insert(self._engine.dialect, lease).values(
            id=1, owner=owner, since=now, expires_at=now + SECONDS
        )
        mine = lease.c.owner == owner
        # One statement, so that of two that come at once, even to an empty table, the second sees the first.
        taken = statement.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "owner": owner,
                "since": case((mine & (lease.c.expires_at > now), lease.c.since), else_=now),
                "expires_at": now + SECONDS,
            },
            where=or_(
                mine,
                lease.c.expires_at <= now,
                # No clock that is right made this: without it, a dead owner whose clock was ahead by years
                # would lock the mirror for years.
                lease.c.expires_at > now + _LATEST,
            ),
        ).returning(lease.c.owner)
        with self._engine.begin() as connection:
            if connection.execute(taken).one_or_none() is None:
                held = connection.execute(select(lease)).one()
                raise MirrorBusy(
                    owner=held.owner, since=moment_of(held.since), expires=moment_of(held.expires_at)
                )

    def holder(self) -> MirrorBusy | None:
        """Who keeps others from the mirror at this moment, as the error that they would get."""
        with self._engine.connect().execution_options(reading=True) as connection:
            return holder_in(connection, self._clock())

    def renew(self, owner: str, *, pause: float = 0.0) -> None:
        """Extend ``owner``'s lease; raises LeaseLost when another run has taken it over.

        ``pause`` is how many seconds, LONGEST_PAUSE at most, will pass before the run goes on and renews it
        again: a task that is tried again later does not lose the mirror meanwhile. What a batch has kept it
        for in this way, the others do not shorten.
        """
        now = int(self._clock())
        until = now + SECONDS + int(min(pause, LONGEST_PAUSE))
        # A little more than that is what a clock that was set back left.
        kept = lease.c.expires_at.between(until + _CLOCK_ERROR + 1, now + _LATEST)
        with self._engine.begin() as connection:
            renewed = connection.execute(
                update(lease)
                .where(lease.c.owner == owner)
                .values(expires_at=case((kept, lease.c.expires_at), else_=until))
            ).rowcount
            if not renewed:
                raise _lost(owner, connection.execute(select(lease)).one_or_none())

    def release(self, owner: str) -> None:
        """Give the lease up; nothing happens when ``owner`` does not hold it."""
        with self._engine.begin() as connection:
            connection.execute(update(lease).where(lease.c.owner == owner).values(expires_at=0))


class LeaseKeeper:
    """Keeps ``owner``'s lease while it is at work; long work calls it now and then."""

    def __init__(self, lease: Lease, owner: str) -> None:
        self._lease = lease
        self._owner = owner
        self._renewed: float | None = None

    def __call__(self) -> bool:
        """Renew the lease if that is due, and say whether it was; LeaseLost when another run has it."""
        now = time.monotonic()
        if self._renewed is not None and now - self._renewed <= _RENEW_SECONDS:
            return False
        self._lease.renew(self._owner)
        self._renewed = now
        return True


def holder_in(connection: Connection, now: float) -> MirrorBusy | None:
    """``Lease.holder`` within a transaction, at ``now``; the table has been the same in every schema."""
    held = connection.execute(select(lease)).one_or_none()
    if held is None or not now < held.expires_at <= now + _LATEST:
        return None
    return MirrorBusy(owner=held.owner, since=moment_of(held.since), expires=moment_of(held.expires_at))


def hold(connection: Connection, run_id: int, *, alone: bool = False) -> None:
    """Within a writer's transaction: nobody takes the lease of run ``run_id`` over until it ends.

    ``alone`` keeps the other batches of the run waiting until then. Raises LeaseLost when somebody has.
    """
    label = connection.execute(select(runs.c.label).where(runs.c.id == run_id)).scalar_one()
    # Shared: the batches of the run do not wait for each other.
    held = connection.execute(select(lease).with_for_update(read=not alone)).one_or_none()
    if held is None or held.owner != label:
        raise _lost(label, held)


def _lost(owner: str, held: Row[Any] | None) -> LeaseLost:
    return LeaseLost(
        owner=owner,
        holder=None if held is None else held.owner,
        since=None if held is None else moment_of(held.since),
    )
