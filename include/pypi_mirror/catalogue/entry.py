"""One entry of the catalogue: what upstream last said of a project."""

from enum import StrEnum

from msgspec import Struct
from packaging.utils import NormalizedName


class EntryState(StrEnum):
    """``PAGE``: upstream has a page. ``GONE``: it answered that it has no such project."""

    PAGE = "page"
    GONE = "gone"


class Entry(Struct, frozen=True, kw_only=True):
    """``serial`` is that of the page, None where upstream has none; ``announced`` the highest that an event,
    an index or a page has shown for the project: the entry is current when ``serial`` has reached it.

    ``checked_at`` (seconds since 1970) is when upstream last confirmed the entry, by our clock; ``as_of`` by
    upstream's, None where that was not noted. ``digest`` names the page's
    content, 16 bytes; ``body`` is the page as ``encoding`` wrote it, empty for a project that is gone.
    """

    project: NormalizedName
    state: EntryState
    serial: int | None = None
    announced: int | None = None
    checked_at: int
    as_of: int | None = None
    etag: str | None = None
    digest: bytes
    encoding: int
    body: bytes = b""
