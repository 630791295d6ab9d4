"""Upstream's list of projects, wherever its pages are; of an index without one, the projects we ask for."""

import json
import logging

from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.errors import NoProjectList, UpstreamError
from pypi_mirror.mirror import Mirror
from pypi_mirror.upstream.control import Control
from pypi_mirror.upstream.project_pages import JSON
from pypi_mirror.upstream.root_index import RootIndex, fetch_root_index
from pypi_mirror.upstream.serials import highest_believable
from pypi_mirror.upstream.simple_root import find_root_by_pages, roots_to_try

log = logging.getLogger(__name__)


def upstream_index(
    mirror: Mirror, control: Control, *, etag: str | None, after: int | None
) -> RootIndex | None:
    """Upstream's root index, None while its ETag is still ``etag``; notes where upstream's pages are.

    Serials that are absurd after the serial ``after``, which upstream was at, are refused by name.

    Where upstream has no such list, it is made of the names in ``[allowlist] packages``: without serials, so
    that every page is asked for by its ETag. Raises NoProjectList where there are no names either.
    """
    master = mirror.settings.master
    try:
        index = fetch_root_index(master, control, etag=etag, first=mirror.simple_root)
    except NoProjectList as error:
        names = sorted(mirror.policy.named_projects)
        if not names:
            raise
        find_simple_root(mirror, control, names, error)
        log.info(
            "upstream has no list of projects; asking for the %d of [allowlist] packages and requirements",
            len(names),
        )
        return _index_of(names, url=mirror.simple_root)
    if index is not None:
        mirror.note_simple_root(index.root)
        index = _believed(index, after)
    return index


def _believed(index: RootIndex, after: int | None) -> RootIndex:
    """``index`` without absurd serials; the projects that have one are looked at whatever their serial."""
    named = [(entry.serial, entry.name) for entry in index.entries() if entry.serial is not None]
    stated = [] if index.serial is None else [index.serial]
    highest = highest_believable([*stated, *(serial for serial, _ in named)], after=after)
    if highest is None:
        return index
    for serial, name in named:
        if serial > highest:
            log.warning("upstream's index has %s at serial %d, which is absurd; it is refused", name, serial)
    if index.serial is not None and index.serial > highest:
        log.warning(
            "upstream's index is of serial %d, which is absurd; it is taken for %d. If upstream has "
            "really come that far, run `pypi-mirror ledger reset-cursor`",
            index.serial,
            highest,
        )
        index = replace(index, serial=highest)
    return replace(index, highest=highest)


def find_simple_root(
    mirror: Mirror, control: Control, names: list[NormalizedName], error: UpstreamError | None = None
) -> None:
    """Find out by the pages of ``names`` where upstream's pages are, and note it.

    Raises ``error``, if there is one, where upstream has none of them.
    """
    root = find_root_by_pages(roots_to_try(mirror.settings.master, mirror.simple_root), control, names)
    if root is not None:
        mirror.note_simple_root(root)
    elif error is not None:
        named = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        message = (
            "has neither a list of projects nor a page of those in [allowlist] packages or requirements "
            f"({named})"
        )
        raise NoProjectList(message, url=error.url) from error


def _index_of(names: list[NormalizedName], *, url: str) -> RootIndex:
    document = {"meta": {"api-version": "1.1"}, "projects": [{"name": name} for name in names]}
    return RootIndex(
        url=url, root=url, serial=None, etag=None, content_type=JSON, body=json.dumps(document).encode()
    )
