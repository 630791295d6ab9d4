"""One run at a time a mirror: a lease that its owner renews and that a dead owner loses."""

from typing import Final

import pendulum
from sqlalchemy import Engine, delete, select, update

from pypi_mirror.clock import Clock
from pypi_mirror.errors import MirrorBusy
from pypi_mirror.ledger.tables import lease
from pypi_mirror.ledger.writing import upsert

# Long enough for the slowest stretch between two renewals, short enough to wait out a dead owner.
SECONDS: Final = 900


class Lease:
    """``owner`` is a run's label: every task or process of that run may renew it."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def take(self, owner: str) -> None:
        """Take or renew the lease for ``owner``; raises MirrorBusy while another owner's is alive."""
        now = int(self._clock())
        with self._engine.begin() as connection:
            held = connection.execute(select(lease).with_for_update()).one_or_none()
            if held is not None and held.owner != owner and held.expires_at > now:
                raise MirrorBusy(owner=held.owner, since=_shown(held.since), expires=_shown(held.expires_at))
            since = held.since if held is not None and held.owner == owner else now
            upsert(
                connection,
                lease,
                [{"id": 1, "owner": owner, "since": since, "expires_at": now + SECONDS}],
            )

    def renew(self, owner: str) -> None:
        """Extend ``owner``'s lease; raises MirrorBusy when another run has taken it over."""
        now = int(self._clock())
        with self._engine.begin() as connection:
            renewed = connection.execute(
                update(lease).where(lease.c.owner == owner).values(expires_at=now + SECONDS)
            ).rowcount
        if not renewed:
            self.take(owner)

    def release(self, owner: str) -> None:
        """Give the lease up; nothing happens when ``owner`` does not hold it."""
        with self._engine.begin() as connection:
            connection.execute(delete(lease).where(lease.c.owner == owner))


def _shown(timestamp: int) -> str:
    return pendulum.from_timestamp(timestamp).to_datetime_string() + " UTC"
