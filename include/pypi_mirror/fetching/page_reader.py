"""Upstream's page of a project as the catalogue has it, asked for again where that is due."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.catalogue import ENCODING, Entry, EntryState, decode_page, encode_page
from pypi_mirror.errors import StalePage, UnreadableEntry
from pypi_mirror.ledger.catalogue import Confirmed
from pypi_mirror.ledger.projects import QUARANTINED, KnownProject
from pypi_mirror.model import PlannedProject, ProjectPage
from pypi_mirror.upstream.project_pages import Gone, NotModified, ProjectPages
from pypi_mirror.upstream.serials import is_absurd

log = logging.getLogger(__name__)

# Seconds for which what upstream last confirmed is acted upon without asking again.
FRESH: Final = 3600
_NONE_SEEN: Final[Mapping[str, int]] = {}
# The digest of an entry for a project that upstream does not have.
_NOTHING: Final = b"\0" * 16


class Reading(Struct, frozen=True):
    """What upstream has of a project by now.

    ``entry`` is to be written to the catalogue, or ``confirmed`` is, that its entry still holds; neither
    where nobody had to ask. ``page`` gives upstream's page, None where it has no such project; ``digest``
    names what it says, and ``serial`` is the page's. ``is_news`` says that the catalogue had it otherwise.
    ``seen`` says since when files count that are new on it, by name (see ``policy.Context``).
    """

    digest: bytes
    serial: int | None
    page: Callable[[], ProjectPage | None]
    entry: Entry | None = None
    confirmed: Confirmed | None = None
    is_news: bool = False
    seen: Mapping[str, int] = field(default_factory=dict)


class PageReader:
    """Reads pages of projects; ``body_of`` gives the body of a project's entry.

    ``highest`` is the serial that upstream is believed to be at. ``confirmed_at`` (seconds since 1970) is
    when upstream last said which projects have changed. Without ``only_forward``, a page older than what was
    read before is taken as it is. ``as_of`` is the time by upstream's clock where new files have to wait,
    None where they have not; ``serials_at`` are pairs of a serial and the time when it was the newest.
    """

    def __init__(
        self,
        upstream: ProjectPages,
        body_of: Callable[[NormalizedName], bytes],
        *,
        now: Callable[[], float] = time.time,
        confirmed_at: float = 0,
        highest: int | None = None,
        only_forward: bool = True,
        as_of: int | None = None,
        serials_at: Sequence[tuple[int, int]] = (),
    ) -> None:
        self._upstream = upstream
        self._body_of = body_of
        self._now = now
        self._confirmed_at = confirmed_at
        self._highest = highest
        self.only_forward = only_forward
        self._as_of = as_of
        self._serials_at = serials_at

    async def read(self, planned: PlannedProject, known: KnownProject | None, entry: Entry | None) -> Reading:
        """Upstream's page of the project, which the mirror knows as ``known``, the catalogue as ``entry``.

        Nobody is asked where the entry serves: it was confirmed within the hour, and the plan does not ask
        for another look. Raises MirrorError where upstream gives no page that can be believed.
        """
        if entry is not None and entry.encoding != ENCODING:
            entry = None
        if entry is not None and not planned.unread and self._is_fresh(entry):
            return self._as_before(entry)
        has_page = entry is not None and entry.state is EntryState.PAGE
        answer = await self._upstream.fetch(
            planned.project,
            etag=entry.etag if entry is not None and has_page else None,
            serial=planned.serial,
            exact=planned.exact,
            gone=planned.gone,
            held=known is not None and known.present,
            not_before=_not_before(known, entry) if self.only_forward else None,
        )
        match answer:
            case Gone():
                return _new(
                    entry,
                    Entry(
                        project=planned.project,
                        state=EntryState.GONE,
                        announced=planned.serial,
                        checked_at=int(self._now()),
                        as_of=self._as_of,
                        digest=_NOTHING,
                        encoding=ENCODING,
                    ),
                    None,
                )
            case NotModified():
                assert entry is not None  # noqa: S101 - or no ETag had been sent
                if planned.gone:
                    self._check_is_listed(planned, known, self._as_before(entry, answer.serial).page())
                return self._confirmed(planned, entry, self._plausible(planned, known, answer.serial))
            case _:
                page = replace(answer, serial=self._plausible(planned, known, answer.serial))
                self._check_is_listed(planned, known, page)
                encoded = encode_page(page)
                written = Entry(
                    project=planned.project,
                    state=EntryState.PAGE,
                    serial=page.serial,
                    announced=max((s for s in (page.serial, planned.serial) if s is not None), default=None),
                    checked_at=int(self._now()),
                    as_of=self._as_of,
                    etag=page.etag,
                    digest=encoded.digest,
                    encoding=ENCODING,
                    body=encoded.body,
                )
                return _new(entry, written, page, self._seen(entry, page))

    def _seen(self, before: Entry | None, page: ProjectPage) -> Mapping[str, int]:
        """Since when the files of ``page`` count that were not in ``before``: since that was read, or since
        upstream last said that the project had not changed.

        Of a project that was never read their upload times say it; those without count from now on.
        """
        if self._as_of is None:
            return {}
        try:
            last = None if before is None else self._as_before(before).page()
        except UnreadableEntry:
            before = last = None
        if before is None:
            return {file.filename: self._as_of for file in page.files if file.upload_time is None}
        had = frozenset() if last is None else {file.filename for file in last.files}
        unchanged_at = [at for serial, at in self._serials_at if serial < (page.serial or 0)]
        read_at = before.checked_at if before.as_of is None else before.as_of
        # A clock that was ahead has read nothing later than now.
        since = min(max((read_at, *unchanged_at)), self._as_of)
        return {file.filename: since for file in page.files if file.filename not in had}

    def _is_fresh(self, entry: Entry) -> bool:
        # A clock that was ahead by years has confirmed nothing for years.
        return abs(self._now() - max(entry.checked_at, self._confirmed_at)) < FRESH

    def _as_before(self, entry: Entry, serial: int | None = None) -> Reading:
        shown = max((s for s in (serial, entry.serial) if s is not None), default=None)

        def page() -> ProjectPage | None:
            if entry.state is EntryState.GONE:
                return None
            body = entry.body or self._body_of(entry.project)
            return replace(decode_page(body, project=entry.project, etag=entry.etag), serial=shown)

        return Reading(entry.digest, shown, page)

    def _confirmed(self, planned: PlannedProject, entry: Entry, serial: int | None) -> Reading:
        announced = max((s for s in (serial, planned.serial) if s is not None), default=None)
        confirmed = Confirmed(project=planned.project, serial=serial, announced=announced, as_of=self._as_of)
        return replace(self._as_before(entry, serial), confirmed=confirmed)

    def _plausible(
        self, planned: PlannedProject, known: KnownProject | None, serial: int | None
    ) -> int | None:
        """The serial of a page, or, for an absurd one, that which was known before."""
        if serial is None or self._highest is None or not is_absurd(serial, self._highest):
            return serial
        log.warning("%s: the page's serial %d is absurd; it is refused", planned.project, serial)
        return planned.serial if known is None else known.serial

    def _check_is_listed(
        self, planned: PlannedProject, known: KnownProject | None, page: ProjectPage | None
    ) -> None:
        """StalePage for an old copy that would bring back what upstream's index does not list any more."""
        if not planned.gone or planned.serial is None or (known is not None and known.present):
            return
        if page is None or page.status.status == QUARANTINED:
            return
        if page.serial is None or page.serial <= planned.serial:
            raise StalePage(
                url=self._upstream.url(planned.project), serial=page.serial, wanted=planned.serial
            )


def _new(
    before: Entry | None, entry: Entry, page: ProjectPage | None, seen: Mapping[str, int] = _NONE_SEEN
) -> Reading:
    is_news = before is None or (before.state, before.digest) != (entry.state, entry.digest)
    return Reading(entry.digest, entry.serial, lambda: page, entry=entry, is_news=is_news, seen=seen)


def _not_before(known: KnownProject | None, entry: Entry | None) -> int | None:
    """The serial that a page must have reached: of our page, of the event that removed the project, or of
    what was read last.
    """
    had = None if known is None else known.serial if known.present else known.seen_serial
    read = None if entry is None else entry.serial
    return max((s for s in (had, read) if s is not None), default=None)
