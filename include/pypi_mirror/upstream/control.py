"""The few control calls of a run: the transport of all other requests, from code outside an event loop."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping

from pypi_mirror.errors import UpstreamUnavailable
from pypi_mirror.transport.answers import Lead, failure, passes
from pypi_mirror.transport.curl import CurlTransport
from pypi_mirror.transport.login import Logins
from pypi_mirror.transport.messages import Request, Response
from pypi_mirror.transport.patience import Patience, Tries
from pypi_mirror.transport.zones import AddressGuard


class Control:
    """Makes control calls, trying again on what passes; to be closed in the end.

    The bounds and rules are the transport's. The tries of one call share ``global_timeout``: an upstream that
    drips holds a call no longer than that. ``pause`` waits between tries (seconds); tests pass another.
    ``lead`` is how far ``now``, a clock of seconds since 1970, is ahead of those who answered; None before an
    answer with a date.
    """

    def __init__(
        self,
        *,
        timeout: float,
        global_timeout: float,
        proxy: str | None,
        patience: Patience,
        allow_non_https: bool = False,
        address_guard: AddressGuard | None = None,
        logins: Logins | None = None,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.calls = 0
        self.lead: Lead | None = None
        self._now = now
        self._global_timeout = global_timeout
        self._patience = patience
        self._pause = pause
        self._runner = asyncio.Runner()
        self._transport = CurlTransport(
            workers=1,
            timeout=timeout,
            global_timeout=global_timeout,
            proxy=proxy,
            allow_non_https=allow_non_https,
            address_guard=address_guard,
            logins=logins,
        )
        self._runner.run(self._transport.__aenter__())

    def close(self) -> None:
        self._runner.run(self._transport.__aexit__())
        self._runner.close()

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        max_bytes: int,
        longest_wait: float = math.inf,
    ) -> Response:
        """One call; raises UpstreamUnavailable after the last try, UpstreamMalformed past ``max_bytes``.

        Where upstream asks for a wait of more than ``longest_wait`` seconds there is no other try.
        """
        tries = Tries(self._patience)
        spent = 0.0
        while True:
            request = Request(
                url=url,
                method=method,
                headers=tuple(f"{name}: {value}" for name, value in (headers or {}).items()),
                data=data,
                max_bytes=max_bytes,
                compressed=method != "HEAD",
                timeout=max(self._global_timeout - spent, 0.001),
            )
            started = time.monotonic()
            try:
                return self._call_once(request)
            except UpstreamUnavailable as error:
                spent += time.monotonic() - started
                pause = tries.pause_after(error)
                late = spent >= self._global_timeout or (error.retry_after or 0.0) > longest_wait
                if pause is None or late:
                    if not error.connected:
                        raise UpstreamUnavailable(
                            f"{error.message}; check [mirror] master", url=url
                        ) from error
                    raise
                self._pause(pause)

    def wait(self, seconds: float) -> None:
        """Wait as upstream asked."""
        self._pause(seconds)

    def _call_once(self, request: Request) -> Response:
        self.calls += 1
        response = self._runner.run(self._transport.get(request))
        lead = Lead.of(response.headers, self._now())
        self.lead = self.lead if lead is None else lead.merged(self.lead)
        if passes(response.status):
            raise failure(response.url, response.status, response.retry_after)
        return response
