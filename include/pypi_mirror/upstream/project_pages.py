"""Project pages from upstream: conditional requests, retries, stale, missing and removed pages."""

from dataclasses import dataclass
from typing import Final

import msgspec
from packaging.utils import NormalizedName

from pypi_mirror.answers import passes
from pypi_mirror.errors import StalePage, UpstreamError, UpstreamMalformed, UpstreamUnavailable
from pypi_mirror.model import ProjectPage
from pypi_mirror.patience import Patience
from pypi_mirror.transport import Request, Response, Transport
from pypi_mirror.upstream import simple_json
from pypi_mirror.upstream.checks import checked_etag, checked_name, checked_serial

JSON: Final = "application/vnd.pypi.simple.v1+json"
HTML: Final = ("application/vnd.pypi.simple.v1+html", "text/html")
ACCEPT: Final = f"{JSON}, {HTML[0]};q=0.2, {HTML[1]};q=0.1"
MAX_PAGE: Final = 64 * 1024 * 1024


class _LegacyInfo(msgspec.Struct):
    name: str


class _Legacy(msgspec.Struct):
    info: _LegacyInfo


_legacy_decoder = msgspec.json.Decoder(_Legacy)


@dataclass(frozen=True, slots=True)
class NotModified:
    """The page is the one whose ETag we sent; ``serial`` is what its headers say."""

    serial: int | None


@dataclass(frozen=True, slots=True)
class Gone:
    """Upstream has no such project."""


PageAnswer = ProjectPage | NotModified | Gone


async def get_patiently(transport: Transport, request: Request, patience: Patience) -> Response:
    """``request`` answered with 200, 206, 304, 404, 406, 410 or 416, tried again on what passes.

    Raises UpstreamUnavailable after the last try, UpstreamError for any other status.
    """
    delays = patience.delays()
    while True:
        try:
            response = await transport.get(request)
            if not passes(response.status):
                break
            raise UpstreamUnavailable(
                f"answered {response.status}", url=request.url, retry_after=response.retry_after
            )
        except UpstreamUnavailable as error:
            delay = next(delays, None)
            if delay is None:
                raise
            await patience.sleep(patience.pause(delay, error.retry_after))
    if response.status not in (200, 206, 304, 404, 406, 410, 416):
        raise UpstreamError(f"answered {response.status}", url=request.url)
    return response


class ProjectPages:
    """Upstream's project pages; ``master`` is the index's root, without ``/simple``."""

    def __init__(self, master: str, transport: Transport, patience: Patience) -> None:
        self._master = master
        self._transport = transport
        self._patience = patience

    async def fetch(
        self,
        project: NormalizedName,
        *,
        etag: str | None = None,
        serial: int | None = None,
        exact: bool = False,
        gone: bool = False,
    ) -> PageAnswer:
        """The page of ``project`` as of ``serial`` or later.

        With ``exact`` an older page is asked for again until it catches up, StalePage in the end; without,
        it is taken as it is. A 404 is believed at once where ``gone`` says that removal is expected, and
        otherwise after a wait, since a new project can be 404 at upstream's edge for a minute.
        """
        stale, missing = (
            self._patience.delays_within(total)
            for total in (self._patience.stale_wait, self._patience.missing_wait)
        )
        while True:
            answer = await self._fetch_once(project, etag)
            if isinstance(answer, Gone):
                delay = None if gone or serial is None else next(missing, None)
                if delay is None:
                    return answer
            elif exact and serial is not None and (answer.serial or 0) < serial:
                delay = next(stale, None)
                if delay is None:
                    raise StalePage(url=self.url(project), serial=answer.serial, wanted=serial)
            else:
                return answer
            await self._patience.sleep(delay)

    def url(self, project: NormalizedName) -> str:
        return f"{self._master}/simple/{project}/"

    async def legacy_json(self, project: NormalizedName) -> bytes | None:
        """The project's document of the JSON API, as upstream wrote it; None where it has none (404).

        Raises UpstreamMalformed for a document that is none, or another project's.
        """
        url = f"{self._master}/pypi/{project}/json"
        request = Request(url=url, max_bytes=MAX_PAGE, compressed=True)
        response = await get_patiently(self._transport, request, self._patience)
        if response.status != 200:
            return None
        try:
            document = _legacy_decoder.decode(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamMalformed(f"this is no document of the JSON API: {error}", url=url) from error
        if (named := checked_name(document.info.name, url=url)) != project:
            raise UpstreamMalformed(f"this is the document of {named!r}, not of {project!r}", url=url)
        return response.body

    async def _fetch_once(self, project: NormalizedName, etag: str | None) -> PageAnswer:
        url = self.url(project)
        headers = (f"Accept: {ACCEPT}", f"If-None-Match: {etag}") if etag else (f"Accept: {ACCEPT}",)
        request = Request(url=url, headers=headers, max_bytes=MAX_PAGE, compressed=True)
        response = await get_patiently(self._transport, request, self._patience)
        if response.status in (404, 410):
            return Gone()
        header_serial = checked_serial(response.headers.get("x-pypi-last-serial", ""))
        if response.status == 304 and etag:
            return NotModified(header_serial)
        if response.status != 200:
            raise UpstreamError(f"answered {response.status}", url=url)
        content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type == JSON:
            parse = simple_json.parse_project_page
        elif content_type in HTML:
            # The HTML parser takes 0.2 s to import and few mirrors need it: upstream itself speaks JSON.
            from pypi_mirror.upstream import simple_html

            parse = simple_html.parse_project_page
        else:
            raise UpstreamMalformed(f"the page is of type {content_type or 'unknown'!r}", url=url)
        return parse(
            response.body,
            url=response.url,
            project=project,
            header_serial=header_serial,
            etag=checked_etag(response.headers.get("etag")),
        )
