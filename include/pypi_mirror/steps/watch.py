"""Beside runs: what is upstream's newest serial, and since when is the mirror behind it?"""

from dataclasses import dataclass

from pypi_mirror.mirror import Mirror


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is known of upstream; times are seconds since 1970.

    ``serial`` is the newest upstream was seen at, ``asked_at`` when it last answered. ``missed_serial`` is
    the first event after the cursor of then that can change what the mirror holds, ``missed_at`` when it
    happened, or else when it was first heard of; both None when there was none. ``silent_since`` is when
    upstream first did not answer any more, ``trouble`` what it said; both None while it answers.
    """

    serial: int | None = None
    asked_at: int | None = None
    missed_serial: int | None = None
    missed_at: int | None = None
    silent_since: int | None = None
    trouble: str | None = None


def look_upstream(mirror: Mirror) -> Look:
    """Ask upstream for its newest serial and note what comes of it.

    Never raises UpstreamError: an upstream that does not answer is noted, too.
    """
    raise NotImplementedError


def last_look(mirror: Mirror) -> Look:
    """What was last noted, by a look or by a run."""
    raise NotImplementedError


def lag_of(mirror: Mirror) -> int | None:
    """For how many seconds the mirror has been behind; 0 when it is not, None where that cannot be told."""
    raise NotImplementedError
