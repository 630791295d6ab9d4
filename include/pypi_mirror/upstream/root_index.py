"""Upstream's root index: the list of all projects, with their serials where upstream has them."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from pypi_mirror.errors import NoProjectList, UpstreamError, UpstreamMalformed
from pypi_mirror.model import IndexEntry
from pypi_mirror.transport.answers import failure
from pypi_mirror.transport.login import LOGIN_ADVICE
from pypi_mirror.upstream import simple_json
from pypi_mirror.upstream.checks import checked_etag
from pypi_mirror.upstream.control import Control
from pypi_mirror.upstream.project_pages import ACCEPT, HTML, JSON
from pypi_mirror.upstream.simple_root import roots_to_try

# Upstream's own is some 40 MB of JSON for 730,000 projects.
MAX_INDEX: Final = 128 * 1024 * 1024
# How servers say that there is no list here; those that keep it to themselves included.
_NO_LIST: Final = frozenset({403, 404, 405, 410, 501})


class RootIndex(Struct, frozen=True, kw_only=True):
    """``serial`` is upstream's serial as of this body; ``body`` is of media type ``content_type``.

    ``highest`` is the highest serial that is believed, None for any; entries with a higher one have none.
    ``root`` is the address that was asked, below which the projects' pages are.
    """

    url: str
    root: str = ""
    serial: int | None
    etag: str | None
    content_type: str
    body: bytes
    highest: int | None = None

    def entries(self) -> Iterator[IndexEntry]:
        """The projects, in upstream's order."""
        for entry in _parse(self)[1]:
            absurd = None not in (self.highest, entry.serial) and (entry.serial or 0) > (self.highest or 0)
            yield replace(entry, serial=None) if absurd else entry


def fetch_root_index(
    master: str, control: Control, *, etag: str | None, first: str | None = None
) -> RootIndex | None:
    """The root index of ``master``, None when its ETag is still ``etag``.

    It is looked for at ``first``, where it was, at ``<master>/simple/`` and at ``<master>/`` itself. Raises
    NoProjectList when it is at none of them, UpstreamMalformed when it lists no project at all: an empty
    index is a fault of upstream's, not an order to remove everything.
    """
    roots = roots_to_try(master, first)
    refused: UpstreamError | None = None
    for root in roots:
        try:
            return _fetch(root, control, etag, is_guess=root == f"{master}/")
        except (NoProjectList, UpstreamMalformed) as error:
            # What the likeliest place says goes before what a guess made of the next one.
            refused = refused or error
    raise refused or NoProjectList("has no list of projects", url=roots[0])


def _fetch(url: str, control: Control, etag: str | None, *, is_guess: bool) -> RootIndex | None:
    headers = {"Accept": ACCEPT} | ({"If-None-Match": etag} if etag else {})
    answer = control.call("GET", url, headers=headers, max_bytes=MAX_INDEX)
    if answer.status == 304 and etag:
        return None
    if answer.status in _NO_LIST:
        advice = f". {LOGIN_ADVICE}" if answer.status == 403 else ""
        raise NoProjectList(f"answered {answer.status} for the list of projects{advice}", url=url)
    if answer.status != 200:
        raise failure(url, answer.status, None)
    content_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    index = RootIndex(
        url=answer.url,
        root=url,
        serial=None,
        etag=checked_etag(answer.headers.get("ETag")),
        content_type=content_type,
        body=answer.body,
    )
    serial, entries = _parse(index)
    if next(entries, None) is None:
        raise UpstreamMalformed("the root index is empty; refused", url=url)
    if is_guess and content_type in HTML:
        from pypi_mirror.upstream import simple_html  # as in project_pages

        simple_html.require_index(index.body, url=index.url)
    return replace(index, serial=serial)


def check_not_older(index: RootIndex, cursor: int | None) -> None:
    """Raises UpstreamMalformed for an index from before ``cursor``, up to which the mirror is complete."""
    if cursor is None or (index.serial is not None and index.serial >= cursor):
        return
    raise UpstreamMalformed(
        f"the root index is of serial {index.serial}, the mirror is at {cursor} already: an old copy, "
        "or another upstream. If upstream was replaced, `pypi-mirror ledger reset-cursor` has the next sync "
        "compare everything with it",
        url=index.url,
    )


def _parse(index: RootIndex) -> tuple[int | None, Iterator[IndexEntry]]:
    if index.content_type == JSON:
        return simple_json.parse_root_index(index.body, url=index.url)
    if index.content_type in HTML:
        from pypi_mirror.upstream import simple_html  # as in project_pages

        return simple_html.parse_root_index(index.body, url=index.url)
    raise UpstreamMalformed(f"the root index is of type {index.content_type!r}", url=index.url)
