"""Trying a download again: what to believe when the bytes are wrong, and when none come."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from pypi_mirror.errors import DigestMismatch, FileBusy, MirrorError, SizeMismatch, UpstreamUnavailable
from pypi_mirror.patience import Patience

T = TypeVar("T")

# Wrong bytes may come from a bad cache on the way, once or twice; more often they are upstream's.
WRONG_BYTES_BELIEVED_AFTER: Final = 3


async def try_patiently(attempt: Callable[[], Awaitable[T]], patience: Patience) -> T:
    """What ``attempt`` returns, tried again while upstream is unavailable and while its bytes are wrong.

    Raises the last UpstreamUnavailable, FileBusy, DigestMismatch or SizeMismatch; anything else at once.
    """
    wrong = 0
    delays = patience.delays()
    while True:
        failure: MirrorError
        try:
            return await attempt()
        except UpstreamUnavailable as error:
            failure, retry_after = error, error.retry_after
        except FileBusy as error:
            failure, retry_after = error, None
        except (DigestMismatch, SizeMismatch) as error:
            failure, retry_after = error, None
            wrong += 1
        delay = next(delays, None) if wrong < WRONG_BYTES_BELIEVED_AFTER else None
        if delay is None:
            raise failure
        await patience.sleep(patience.pause(delay, retry_after))
