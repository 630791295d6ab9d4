"""The few control calls of a run, over `requests`: one session, retries, bounds on bytes and time."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Final

import requests
import urllib3.exceptions

from pypi_mirror.answers import (
    MAX_REDIRECTS,
    REDIRECTS,
    failure,
    parse_retry_after,
    passes,
    redirect_target,
)
from pypi_mirror.clock import Lead
from pypi_mirror.errors import UpstreamError, UpstreamMalformed, UpstreamUnavailable
from pypi_mirror.login import Logins
from pypi_mirror.patience import Patience, Tries
from pypi_mirror.transport import USER_AGENT, ca_bundle
from pypi_mirror.upstream.border_adapter import BorderAdapter
from pypi_mirror.zones import Border

_CHUNK: Final = 1024 * 1024


class ControlAnswer:
    """Status, headers (case-insensitive) and the whole body of one control call."""

    __slots__ = ("body", "headers", "status", "url")

    def __init__(self, url: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.url = url
        self.status = status
        self.headers = headers
        self.body = body


class Control:
    """Makes control calls, trying again on what passes; to be closed in the end.

    An answer that is silent for ``timeout`` seconds, or takes more than ``global_timeout`` in all, is given
    up. Redirects of a GET are followed, and leave https only with ``allow_non_https``; ``border`` says where
    names may lead, but for a ``proxy``, which looks them up. ``pause`` waits between tries (seconds),
    ``clock`` tells seconds; tests pass others. ``lead`` is how far ``now``, a clock of seconds since 1970,
    is ahead of those who answered; None before an answer with a date.
    """

    def __init__(
        self,
        *,
        timeout: float,
        global_timeout: float,
        proxy: str | None,
        patience: Patience,
        allow_non_https: bool = False,
        border: Border | None = None,
        logins: Logins | None = None,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.calls = 0
        self.lead: Lead | None = None
        self._logins = logins
        self._now = now
        self._timeout = timeout
        self._global_timeout = global_timeout
        self._allow_non_https = allow_non_https
        self._patience = patience
        self._pause = pause
        self._clock = clock
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT
        # `requests` would look into netrc by itself, for any host and port.
        self._session.auth = _no_credentials
        if proxy is not None:
            self._session.trust_env = False
            self._session.proxies = {"http": proxy, "https": proxy}
        elif border is not None:
            adapter = BorderAdapter(border)
            self._session.mount("https://", adapter)
            self._session.mount("http://", adapter)

    def close(self) -> None:
        self._session.close()

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        max_bytes: int,
        longest_wait: float = math.inf,
    ) -> ControlAnswer:
        """One call; raises UpstreamUnavailable after the last try, UpstreamMalformed past ``max_bytes``.

        Where upstream asks for a wait of more than ``longest_wait`` seconds there is no other try.
        """
        tries = Tries(self._patience)
        while True:
            try:
                return self._follow(method, url, headers, data, max_bytes)
            except UpstreamUnavailable as error:
                pause = tries.pause_after(error)
                if pause is None or (error.retry_after or 0.0) > longest_wait:
                    raise
                self._pause(pause)

    def wait(self, seconds: float) -> None:
        """Wait as upstream asked."""
        self._pause(seconds)

    def _follow(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        data: bytes | None,
        max_bytes: int,
    ) -> ControlAnswer:
        """One call and the redirects it meets. A redirected POST is not repeated: its caller sees the 3xx."""
        target = url
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._call_once(method, target, headers, data, max_bytes)
            if method != "GET" or answer.status not in REDIRECTS or "Location" not in answer.headers:
                return answer
            target = redirect_target(
                target, answer.headers["Location"], allow_non_https=self._allow_non_https
            )
        raise UpstreamMalformed(f"more than {MAX_REDIRECTS} redirects, the last to {target}", url=url)

    def _call_once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        data: bytes | None,
        max_bytes: int,
    ) -> ControlAnswer:
        self.calls += 1
        login = None if self._logins is None else self._logins.header(url)
        if login is not None:
            headers = {**(headers or {}), "Authorization": login}
        deadline = self._clock() + self._global_timeout
        try:
            with self._session.request(
                method,
                url,
                headers=headers,
                data=data,
                timeout=self._timeout,
                stream=True,
                allow_redirects=False,
                # Named here, not on the session: there, `requests` has variables of its own go before it.
                verify=ca_bundle(),
            ) as response:
                lead = Lead.of(response.headers, self._now())
                self.lead = self.lead if lead is None else lead.merged(self.lead)
                if passes(response.status_code):
                    retry_after = parse_retry_after(response.headers.get("Retry-After", ""))
                    raise failure(url, response.status_code, retry_after)
                body = self._read(response, url, max_bytes, deadline)
                return ControlAnswer(url, response.status_code, response.headers, body)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise UpstreamUnavailable(f"{_plainly(error)}{_advice(error)}", url=url) from error
        except (urllib3.exceptions.TimeoutError, urllib3.exceptions.ProtocolError) as error:
            raise UpstreamUnavailable("the connection was lost in mid-answer", url=url) from error
        except urllib3.exceptions.HTTPError as error:
            raise UpstreamMalformed(f"the answer cannot be read: {error}", url=url) from error
        except requests.RequestException as error:
            raise UpstreamError(_plainly(error), url=url) from error

    def _read(self, response: requests.Response, url: str, max_bytes: int, deadline: float) -> bytes:
        """The decoded body. Reads what has come, not whole blocks: a server that drips must not hold us."""
        chunks, size = [], 0
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            size += len(chunk)
            if size > max_bytes:
                raise UpstreamMalformed(f"the body is larger than {max_bytes} bytes", url=url)
            if self._clock() > deadline:
                raise UpstreamUnavailable(f"no whole answer in {self._global_timeout:g} seconds", url=url)
            chunks.append(chunk)
        return b"".join(chunks)


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _advice(error: requests.RequestException) -> str:
    """What to do where nobody answers at all: the address may be wrong."""
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", None)
    if isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.NameResolutionError):
        return "; check [mirror] master"
    return ""


def _plainly(error: requests.RequestException) -> str:
    """The innermost reason, without the object addresses that wrap it."""
    inner: BaseException = error
    while (reason := getattr(inner, "reason", None) or inner.__context__) and isinstance(
        reason, BaseException
    ):
        inner = reason
    return str(inner) or type(inner).__name__
