"""Bring the ledger to this program's schema, before anything else needs it."""

from collections.abc import Callable

from msgspec import Struct
from sqlalchemy import Engine

from pypi_mirror.clock import Clock, SystemClock
from pypi_mirror.errors import MirrorBusy
from pypi_mirror.ledger.connection import create_engine, file_of, shown_address
from pypi_mirror.ledger.lease import Lease
from pypi_mirror.ledger.migrations import HEAD, upgrade, version_of
from pypi_mirror.ledger.store import refuse_newer
from pypi_mirror.settings.values import Settings


class UpgradedLedger(Struct, frozen=True, kw_only=True):
    """``before`` is the schema that was found, None where there is no ledger; ``after`` is this program's."""

    address: str
    before: str | None
    after: str

    @property
    def described(self) -> str:
        if self.before is None:
            return f"No ledger is at {self.address} yet; the first sync makes one."
        if self.before == self.after:
            return f"The ledger at {self.address} has schema {self.after}; nothing to upgrade."
        return f"The ledger at {self.address} was upgraded from schema {self.before} to {self.after}."


def upgrade_ledger(
    settings: Settings,
    *,
    is_dead: Callable[[str], bool] = lambda _label: False,
    clock: Clock | None = None,
) -> UpgradedLedger:
    """Upgrade an older ledger, in one transaction; leave one of this program's schema alone, and make none.

    Raises MirrorBusy while a run is at work with an older one, unless it ``is_dead``, and LedgerError for a
    ledger of a newer program or one that cannot be reached.
    """
    clock = clock or SystemClock()
    engine = create_engine(settings.ledger)
    try:
        address = shown_address(engine)
        file = file_of(settings.ledger)
        # To open a file that is not there would make it.
        before = None if file is not None and not file.exists() else version_of(engine)
        if before is not None:
            refuse_newer(engine, before)
            if before != HEAD:
                _upgrade(engine, is_dead, clock)
        return UpgradedLedger(address=address, before=before, after=HEAD)
    finally:
        engine.dispose()


def _upgrade(engine: Engine, is_dead: Callable[[str], bool], clock: Clock) -> None:
    try:
        upgrade(engine, now=clock())
    except MirrorBusy as busy:
        if not is_dead(busy.owner):
            raise
        Lease(engine, clock).release(busy.owner)
        upgrade(engine, now=clock())
