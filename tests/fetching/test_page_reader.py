"""When upstream is asked for a page, how, and what of its answer is believed and kept."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.catalogue import ENCODING, Entry, EntryState, decode_page, encode_page
from pypi_mirror.errors import PageWentBack, StalePage
from pypi_mirror.fetching.page_reader import FRESH, PageReader, Reading
from pypi_mirror.ledger.catalogue import Confirmed
from pypi_mirror.ledger.projects import QUARANTINED, REMOVED, KnownProject
from pypi_mirror.model import Action, PlannedProject, ProjectPage, RemoteFile
from pypi_mirror.transport.messages import Response
from pypi_mirror.upstream.project_pages import ProjectPages
from tests.upstream.fakes import Answer, FakeTransport, Waits, retries, said

MASTER = "https://index.example"
ALPHA = NormalizedName("alpha")
URL = f"{MASTER}/simple/alpha/"
NOW = 1_700_000_000
NOTHING = b"\0" * 16

FILE = RemoteFile(filename="alpha-1.tar.gz", url="https://files.example/alpha-1.tar.gz", size=3)
PAGE = ProjectPage(name=ALPHA, serial=5, etag='"five"', versions=("1",), files=(FILE,))
ENTRY = Entry(
    project=ALPHA, state=EntryState.PAGE, serial=5, announced=5, checked_at=NOW, etag='"five"',
    digest=encode_page(PAGE).digest, encoding=ENCODING,
)  # fmt: skip
GONE = replace(ENTRY, state=EntryState.GONE, serial=None, announced=6, etag=None, digest=NOTHING)
PLANNED = PlannedProject(
    project=ALPHA, display_name="alpha", action=Action.SYNC, reason="test", serial=5, unread=False
)
REMOVAL = replace(PLANNED, gone=True, exact=True, serial=6, unread=True)


def known(serial: int | None = 5, *, status: str = "active", seen: int | None = None) -> KnownProject:
    return KnownProject(
        id=1, project=ALPHA, display_name="alpha", serial=serial, seen_serial=seen or serial, made_entry=None,
        made_decision=None, status=status, selection="", files=1, bytes=3, dropped_files=0, dropped_bytes=0,
    )  # fmt: skip


def page(serial: int | None = 5, *, etag: str | None = '"five"', status: str = "active") -> Response:
    meta = {"api-version": "1.4"} | ({} if serial is None else {"_last-serial": serial})
    files = [{"filename": FILE.filename, "url": FILE.url, "size": 3, "hashes": {}}]
    body = {
        "meta": meta, "name": "alpha", "versions": ["1"], "files": [] if status == QUARANTINED else files,
        "project-status": {"status": status},
    }  # fmt: skip
    headers = {"content-type": "application/vnd.pypi.simple.v1+json"} | ({"etag": etag} if etag else {})
    return said(json.dumps(body), url=URL, headers=headers)


def not_modified(serial: int | None = 5) -> Response:
    return said(status=304, headers={} if serial is None else {"x-pypi-last-serial": str(serial)})


def body_of(name: NormalizedName) -> bytes:
    assert name == ALPHA
    return encode_page(PAGE).body


def no_body(name: NormalizedName) -> bytes:
    raise AssertionError(f"nobody needs the body of {name}")


def read(
    *answers: Answer,
    entry: Entry | None = None,
    known: KnownProject | None = None,
    planned: PlannedProject = PLANNED,
    bodies: Callable[[NormalizedName], bytes] = body_of,
    **options: Any,
) -> tuple[Reading, FakeTransport]:
    transport = FakeTransport({URL: answers} if answers else {})
    upstream = ProjectPages(MASTER, transport, retries(transport, Waits().patience()))
    reader = PageReader(upstream, bodies, **{"now": lambda: float(NOW), "highest": 100, **options})
    return asyncio.run(reader.read(planned, known, entry)), transport


def conditions(transport: FakeTransport) -> list[str | None]:
    """The ETag that each request was made under."""
    return [
        next((h.removeprefix("If-None-Match: ") for h in each.headers if h.startswith("If-None")), None)
        for each in transport.asked
    ]


def aged(seconds: float) -> Entry:
    return replace(ENTRY, checked_at=int(NOW - seconds))


# When nobody is asked.


@pytest.mark.parametrize("confirmed_at", [0, NOW - FRESH + 1])
def test_what_was_confirmed_within_the_hour_serves(confirmed_at: int) -> None:
    """By reading it, or by a changelog or index that names no newer serial."""
    entry = aged(FRESH - 1) if confirmed_at == 0 else aged(10 * FRESH)
    reading, transport = read(entry=entry, known=known(), confirmed_at=confirmed_at)
    assert transport.asked == []
    assert (reading.entry, reading.confirmed, reading.is_news) == (None, None, False)
    assert (reading.digest, reading.serial, reading.page()) == (ENTRY.digest, 5, PAGE)


def test_a_body_is_looked_up_when_it_is_needed_alone() -> None:
    reading, _ = read(entry=ENTRY, bodies=no_body)
    with pytest.raises(AssertionError, match="nobody needs"):
        reading.page()
    with_body, _ = read(entry=replace(ENTRY, body=body_of(ALPHA)), bodies=no_body)
    assert with_body.page() == PAGE


def test_that_upstream_has_no_such_project_serves_too() -> None:
    reading, transport = read(entry=GONE, planned=replace(REMOVAL, unread=False), bodies=no_body)
    assert transport.asked == []
    assert (reading.digest, reading.page(), reading.is_news) == (NOTHING, None, False)


# When upstream is asked, and how.


@pytest.mark.parametrize(
    ("entry", "planned", "condition"),
    [
        (None, PLANNED, None),
        (aged(FRESH), PLANNED, '"five"'),
        (ENTRY, replace(PLANNED, unread=True), '"five"'),
        (replace(aged(FRESH), etag=None), PLANNED, None),
        (aged(-3 * 365 * 24 * 3600), PLANNED, '"five"'),
        (replace(ENTRY, encoding=ENCODING + 1), PLANNED, None),
        (replace(ENTRY, encoding=ENCODING - 1), replace(PLANNED, unread=True), None),
        (replace(GONE, etag='"gone"'), replace(PLANNED, unread=True), None),
    ],
    ids=[
        "no entry",
        "old",
        "another look",
        "no ETag",
        "by a clock that was ahead",
        "a newer encoding",
        "an older encoding",
        "gone",
    ],
)
def test_upstream_is_asked_under_the_etag_of_a_page_that_can_be_read(
    entry: Entry | None, planned: PlannedProject, condition: str | None
) -> None:
    reading, transport = read(page(), entry=entry, planned=planned, confirmed_at=NOW - FRESH)
    assert conditions(transport) == [condition]
    assert reading.entry == replace(ENTRY, body=body_of(ALPHA))
    assert (reading.confirmed, reading.page()) == (None, PAGE)


def test_a_page_that_is_not_modified_is_that_of_the_catalogue() -> None:
    reading, transport = read(not_modified(), entry=aged(FRESH), known=known())
    assert conditions(transport) == ['"five"']
    assert reading.confirmed == Confirmed(project=ALPHA, serial=5, announced=5)
    assert (reading.entry, reading.is_news) == (None, False)
    assert (reading.digest, reading.page()) == (ENTRY.digest, PAGE)


@pytest.mark.parametrize(
    ("shown", "planned", "serial", "announced"),
    [
        (9, PLANNED, 9, 9),
        (None, PLANNED, 5, 5),
        (5, replace(PLANNED, serial=8), 5, 8),
        (5, replace(PLANNED, serial=None), 5, 5),
    ],
    ids=["a role event", "no serial", "the index is ahead", "no serial was planned"],
)
def test_the_serials_of_a_page_that_is_not_modified(
    shown: int | None, planned: PlannedProject, serial: int, announced: int
) -> None:
    reading, _ = read(not_modified(shown), entry=aged(FRESH), planned=planned)
    assert reading.serial == serial
    assert reading.confirmed == Confirmed(project=ALPHA, serial=shown, announced=announced)
    assert reading.page() == replace(PAGE, serial=serial), "as the next batch has it"


# What is news.


def test_the_same_page_under_another_etag_is_no_news() -> None:
    reading, _ = read(page(etag='"another"'), entry=aged(FRESH))
    assert not reading.is_news
    assert reading.entry is not None, "its ETag is kept"
    assert (reading.entry.etag, reading.entry.digest) == ('"another"', ENTRY.digest)


@pytest.mark.parametrize(
    ("answer", "entry"),
    [(page(), None), (page(6), ENTRY), (page(), GONE), (page(), replace(ENTRY, digest=b"5" * 16))],
    ids=["never read", "another serial", "it was gone", "another page"],
)
def test_what_the_catalogue_had_otherwise_is_news(answer: Response, entry: Entry | None) -> None:
    assert read(answer, entry=entry, planned=replace(PLANNED, unread=True))[0].is_news


def test_an_entry_is_what_decides_later() -> None:
    reading, _ = read(page(6), planned=replace(PLANNED, serial=9), now=lambda: NOW + 0.9)
    entry = reading.entry
    assert entry is not None
    assert (entry.state, entry.serial, entry.announced, entry.checked_at) == (EntryState.PAGE, 6, 9, NOW)
    assert decode_page(entry.body, project=ALPHA, etag=entry.etag) == reading.page()
    assert (reading.digest, reading.serial) == (entry.digest, 6)


# What is gone.


@pytest.mark.parametrize("entry", [None, ENTRY, GONE])
def test_a_project_that_is_gone_is_an_entry_without_a_page(entry: Entry | None) -> None:
    reading, _ = read(said(status=404), entry=entry, known=known(), planned=REMOVAL)
    assert reading.entry == GONE
    assert (reading.page(), reading.serial, reading.digest) == (None, None, NOTHING)
    assert reading.is_news is (entry is not GONE)


@pytest.mark.parametrize("status", ["active", QUARANTINED])
@pytest.mark.parametrize(("serial", "is_old"), [(5, True), (6, True), (7, False), (None, True)])
def test_an_old_copy_does_not_bring_back_what_the_index_does_not_list(
    serial: int | None, is_old: bool, status: str
) -> None:
    """Of what is quarantined upstream has a page, and lists it nowhere."""
    unlisted = replace(REMOVAL, exact=False)
    for have in (None, known(None, status=REMOVED)):
        if is_old and status != QUARANTINED:
            with pytest.raises(StalePage):
                read(page(serial, status=status), known=have, planned=unlisted)
        else:
            assert read(page(serial, status=status), known=have, planned=unlisted)[0].serial == serial


# What is not believed.


@pytest.mark.parametrize(
    ("had", "believed"),
    [(known(5), 5), (None, 5), (known(None), None)],
    ids=["known", "new", "known without one"],
)
@pytest.mark.parametrize("is_modified", [True, False])
def test_an_absurd_serial_is_replaced_by_what_was_known(
    had: KnownProject | None, believed: int | None, is_modified: bool
) -> None:
    absurd = 10**12
    answer = page(absurd) if is_modified else not_modified(absurd)
    entry = None if is_modified else aged(FRESH)
    reading, _ = read(answer, entry=entry, known=had, planned=replace(PLANNED, unread=True))
    found = reading.page()
    assert found is not None
    if is_modified:
        assert reading.entry is not None
        assert (reading.serial, reading.entry.serial, found.serial) == (believed, believed, believed)
    else:
        assert reading.confirmed is not None
        assert (reading.serial, reading.confirmed.serial, found.serial) == (5, believed, 5)


def test_no_serial_is_absurd_where_nobody_knows_upstreams() -> None:
    assert read(page(10**12), highest=None)[0].serial == 10**12


OURS = known(7)
REMOVED_AT_7 = known(None, status=REMOVED, seen=7)


@pytest.mark.parametrize(
    ("had", "entry"),
    [
        (OURS, None),
        (REMOVED_AT_7, None),
        (None, replace(ENTRY, serial=7)),
        (known(6), replace(ENTRY, serial=7)),
    ],
    ids=["our page", "the event that removed it", "what was read", "what was read, and our page"],
)
def test_a_page_that_went_back_is_refused_except_to_a_person(
    had: KnownProject | None, entry: Entry | None
) -> None:
    options: dict[str, Any] = {"known": had, "entry": entry, "planned": replace(PLANNED, unread=True)}
    with pytest.raises(PageWentBack) as refused:
        read(page(6, etag=None), **options)
    assert "7" in str(refused.value)
    assert read(page(7, etag=None), **options)[0].serial == 7
    assert read(page(6, etag=None), **options, only_forward=False)[0].serial == 6
