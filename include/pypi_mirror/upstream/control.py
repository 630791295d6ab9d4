"""The few control calls of a run, over `requests`: one session, retries, bounded bodies."""

import time
from collections.abc import Callable, Mapping
from typing import Final

import requests
from requests.adapters import HTTPAdapter

from pypi_mirror.errors import UpstreamError, UpstreamMalformed, UpstreamUnavailable
from pypi_mirror.patience import Patience
from pypi_mirror.transport import USER_AGENT

_RETRYABLE: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
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
    """Makes control calls, trying again on what passes; use as a context manager.

    ``pause`` waits between tries (seconds); tests pass one that does not.
    """

    def __init__(
        self,
        *,
        timeout: float,
        proxy: str | None,
        patience: Patience,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.calls = 0
        self._timeout = timeout
        self._patience = patience
        self._pause = pause
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT
        self._session.mount("https://", HTTPAdapter(pool_maxsize=1))
        if proxy is not None:
            self._session.trust_env = False
            self._session.proxies = {"http": proxy, "https": proxy}

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
    ) -> ControlAnswer:
        """One call; raises UpstreamUnavailable after the last try, UpstreamMalformed past ``max_bytes``."""
        delays = self._patience.delays()
        while True:
            try:
                return self._call_once(method, url, headers, data, max_bytes)
            except UpstreamUnavailable as error:
                delay = next(delays, None)
                if delay is None:
                    raise
                self._pause(max(delay, min(error.retry_after or 0.0, self._patience.longest_delay)))

    def wait(self, seconds: float) -> None:
        """Wait as upstream asked."""
        self._pause(seconds)

    def _call_once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        data: bytes | None,
        max_bytes: int,
    ) -> ControlAnswer:
        self.calls += 1
        try:
            with self._session.request(
                method, url, headers=headers, data=data, timeout=self._timeout, stream=True
            ) as response:
                if response.status_code in _RETRYABLE:
                    said = response.headers.get("Retry-After", "")
                    raise UpstreamUnavailable(
                        f"answered {response.status_code}",
                        url=url,
                        retry_after=float(said) if said.isdigit() else None,
                    )
                chunks, size = [], 0
                for chunk in response.iter_content(_CHUNK):
                    size += len(chunk)
                    if size > max_bytes:
                        raise UpstreamMalformed(f"the body is larger than {max_bytes} bytes", url=url)
                    chunks.append(chunk)
                return ControlAnswer(response.url, response.status_code, response.headers, b"".join(chunks))
        except (requests.ConnectionError, requests.Timeout) as error:
            raise UpstreamUnavailable(_plainly(error), url=url) from error
        except requests.exceptions.ChunkedEncodingError as error:
            raise UpstreamUnavailable("the connection was lost in mid-answer", url=url) from error
        except requests.RequestException as error:
            raise UpstreamError(_plainly(error), url=url) from error


def _plainly(error: requests.RequestException) -> str:
    """The innermost reason, without the object addresses that wrap it."""
    inner: BaseException = error
    while (reason := getattr(inner, "reason", None) or inner.__context__) and isinstance(
        reason, BaseException
    ):
        inner = reason
    return str(inner) or type(inner).__name__
