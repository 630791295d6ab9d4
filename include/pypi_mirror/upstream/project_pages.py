"""Project pages from upstream: conditional requests, retries, stale, missing and removed pages."""

from collections.abc import Iterator
from itertools import islice
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.errors import (
    CutOff,
    MirrorError,
    PageWentBack,
    StalePage,
    UpstreamError,
    UpstreamMalformed,
)
from pypi_mirror.model import ProjectPage
from pypi_mirror.transport.answers import failure
from pypi_mirror.transport.messages import Request, Response, Transport
from pypi_mirror.transport.patience import WRONG_BYTES
from pypi_mirror.transport.retries import NO_CACHE, Retries
from pypi_mirror.upstream import simple_json
from pypi_mirror.upstream.checks import checked_etag, checked_name, checked_serial

JSON: Final = "application/vnd.pypi.simple.v1+json"
HTML: Final = ("application/vnd.pypi.simple.v1+html", "text/html")
ACCEPT: Final = f"{JSON}, {HTML[0]};q=0.2, {HTML[1]};q=0.1"
MAX_PAGE: Final = 64 * 1024 * 1024
_MORE_LOOKS_IF_UNLISTED: Final = 2
_ANSWERS: Final = frozenset({200, 206, 304, 404, 406, 410, 416})


class _LegacyInfo(msgspec.Struct):
    name: str
    version: str = ""


class _Legacy(msgspec.Struct):
    info: _LegacyInfo


_legacy_decoder = msgspec.json.Decoder(_Legacy)


class NotModified(Struct, frozen=True):
    """The page is the one whose ETag we sent; ``serial`` is what its headers say."""

    serial: int | None


class Gone(Struct, frozen=True):
    """Upstream has no such project."""


PageAnswer = ProjectPage | NotModified | Gone


class ProjectPages:
    """Upstream's project pages; ``master`` is the index's root, without ``/simple``.

    ``root``, by default ``<master>/simple/``, is where the pages are. Only there has an index legacy JSON
    beside them.
    """

    def __init__(
        self, master: str, transport: Transport, retries: Retries, *, root: str | None = None
    ) -> None:
        self._root = root or f"{master}/simple/"
        self._legacy = f"{master}/pypi" if self._root == f"{master}/simple/" else None
        self._transport = transport
        self._retries = retries

    async def fetch(
        self,
        project: NormalizedName,
        *,
        etag: str | None = None,
        serial: int | None = None,
        exact: bool = False,
        gone: bool = False,
        held: bool = False,
        not_before: int | None = None,
    ) -> PageAnswer:
        """The page of ``project`` as of ``serial`` or later.

        With ``exact`` an older page is asked for again until it catches up, StalePage in the end; without,
        it is taken as it is.

        A 404 is believed at once where an event said that the project is ``gone``, and where nobody spoke of
        it: neither upstream nor the mirror, which has it ``held``. For what an index does not list, which can
        be quarantined, it is believed at the third time. Otherwise it is believed after a wait: a new project
        can be 404 at upstream's edge for a minute. Raises UpstreamError where one answer had to do.
        Raises PageWentBack for a page from before the serial ``not_before``, even past all caches.
        """
        removed = gone and exact
        unheard_of = serial is None and not held and not gone
        patience = self._retries.patience
        stale, missing = map(patience.delays_within, (patience.stale_wait, patience.missing_wait))
        missing = islice(missing, _MORE_LOOKS_IF_UNLISTED if gone else None)
        fresh = False
        while True:
            answer = await self._fetch_once(project, etag, fresh=fresh)
            if isinstance(answer, Gone):
                if removed or unheard_of:
                    return answer
                if not await self._wait(missing):
                    if fresh:
                        return answer
                    # One answer proves nothing while upstream is so overloaded that no retry is allowed.
                    raise UpstreamError(
                        "answered 404 once; not asked again, as too many requests are being retried",
                        url=self.url(project),
                    )
            elif isinstance(answer, ProjectPage) and (answer.serial or 0) < (not_before or 0):
                if fresh:
                    raise PageWentBack(url=self.url(project), serial=answer.serial, had=not_before or 0)
            elif exact and serial is not None and (answer.serial or 0) < serial:
                if not await self._wait(stale):
                    raise StalePage(url=self.url(project), serial=answer.serial, wanted=serial)
            else:
                return answer
            fresh = True

    async def _wait(self, delays: Iterator[float]) -> bool:
        """Wait for another look at a page that has to change; False when it was waited for long enough."""
        delay = next(delays, None)
        if delay is None:
            return False
        await self._retries.patience.sleep(delay)
        return await self._retries.is_allowed(delays)

    def url(self, project: NormalizedName) -> str:
        return f"{self._root}{project}/"

    async def legacy_json(self, project: NormalizedName, version: str | None = None) -> bytes | None:
        """The JSON API's document of the project, or of its release ``version``, as upstream wrote it; None
        where it has none (404).

        Raises UpstreamMalformed for a document that is none, or another project's or release's.
        """
        if self._legacy is None:
            return None
        release = "" if version is None else f"/{quote(version, safe='')}"
        url = f"{self._legacy}/{project}{release}/json"

        async def fetch(after: MirrorError | None) -> bytes | None:
            response = await self._get(url, (), fresh=isinstance(after, WRONG_BYTES))
            if response.status != 200:
                return None
            try:
                document = _legacy_decoder.decode(response.body)
            except (msgspec.ValidationError, RecursionError) as error:
                raise UpstreamMalformed(
                    f"this is not a valid document of the JSON API: {error}", url=url
                ) from error
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise CutOff(f"this is not a valid document of the JSON API: {error}", url=url) from error
            if (named := checked_name(document.info.name, url=url)) != project:
                raise UpstreamMalformed(f"this is the document of {named!r}, not of {project!r}", url=url)
            if version is not None and document.info.version != version:
                said = document.info.version
                raise UpstreamMalformed(f"this is the document of release {said!r}, not {version!r}", url=url)
            return response.body

        return await self._retries.run(url, fetch)

    async def _fetch_once(self, project: NormalizedName, etag: str | None, *, fresh: bool) -> PageAnswer:
        """One answer, whole; ``fresh`` asks caches on the way to look again."""
        url = self.url(project)
        headers = (f"Accept: {ACCEPT}", f"If-None-Match: {etag}") if etag else (f"Accept: {ACCEPT}",)

        async def fetch(after: MirrorError | None) -> PageAnswer:
            response = await self._get(url, headers, fresh=fresh or isinstance(after, WRONG_BYTES))
            return self._read(response, project, conditional=bool(etag), url=url)

        return await self._retries.run(url, fetch)

    async def _get(self, url: str, headers: tuple[str, ...], *, fresh: bool) -> Response:
        """``url`` answered with 200, 206, 304, 404, 406, 410 or 416. One try.

        Raises UpstreamError for any other status.
        """
        if fresh:
            headers += (NO_CACHE,)
        request = Request(url=url, headers=headers, max_bytes=MAX_PAGE, compressed=True)
        response = await self._transport.get(request)
        if response.status not in _ANSWERS:
            raise failure(url, response.status, response.retry_after)
        return response

    @staticmethod
    def _read(response: Response, project: NormalizedName, *, conditional: bool, url: str) -> PageAnswer:
        if response.status in (404, 410):
            return Gone()
        header_serial = checked_serial(response.headers.get("x-pypi-last-serial", ""))
        if response.status == 304 and conditional:
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
            raise CutOff(f"the page is of type {content_type or 'unknown'!r}", url=url)
        return parse(
            response.body,
            url=response.url,
            project=project,
            header_serial=header_serial,
            etag=checked_etag(response.headers.get("etag")),
        )
