"""Keeping a run's lease while a step is at work for long."""

import time

from pypi_mirror.mirror import Mirror

_RENEW_SECONDS = 60.0


class LeaseKeeper:
    """Keeps the run's lease alive; raises LeaseLost when another run has taken the mirror over."""

    def __init__(self, mirror: Mirror, label: str) -> None:
        self._mirror = mirror
        self._label = label
        self._renewed: float | None = None

    def keep(self) -> bool:
        """Renew it if that is due, and say whether it was."""
        now = time.monotonic()
        if self._renewed is not None and now - self._renewed <= _RENEW_SECONDS:
            return False
        self._mirror.ledger.lease.renew(self._label)
        self._renewed = now
        return True
