"""Pages as upstream serves them: conditional, stale, missing, gone, in other formats, or broken."""

import asyncio
import json
from typing import Any

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.errors import StalePage, UpstreamError, UpstreamMalformed, UpstreamUnavailable
from pypi_mirror.model import ProjectPage
from pypi_mirror.transport.curl import CurlTransport
from pypi_mirror.transport.messages import Response, Transport
from pypi_mirror.transport.retries import NO_CACHE
from pypi_mirror.upstream.project_pages import ACCEPT, Gone, NotModified, PageAnswer, ProjectPages
from tests.upstream.fakes import Answer, FakeTransport, Waits, retries, said
from tests.warehouse import (
    HTML_ONLY,
    SERIAL_LESS,
    AddRole,
    Archive,
    Behaviour,
    Create,
    Fault,
    HtmlError,
    Missing,
    Quarantine,
    RemoveProject,
    Status,
    Truncate,
    Upload,
    Warehouse,
    Wheel,
    Yank,
    running,
)
from tests.warehouse import (
    StalePage as ServeStale,
)
from tests.warehouse.server import Server

MASTER = "https://index.example"
ALPHA = NormalizedName("alpha")
URL = f"{MASTER}/simple/alpha/"
JSON = "application/vnd.pypi.simple.v1+json"


def page(serial: int | None = 7, headers: dict[str, str] | None = None) -> Response:
    meta = {"api-version": "1.0"} | ({} if serial is None else {"_last-serial": serial})
    body = json.dumps({"meta": meta, "name": "alpha", "files": []})
    return said(body, url=URL, headers={"content-type": JSON} | (headers or {}))


def fetch(*answers: Answer, waits: Waits | None = None, **options: Any) -> tuple[PageAnswer, FakeTransport]:
    transport = FakeTransport({URL: answers})
    pages = ProjectPages(MASTER, transport, retries(transport, (waits or Waits()).patience()))
    return asyncio.run(pages.fetch(ALPHA, **options)), transport


def legacy(answer: Answer, version: str | None = None) -> bytes | None:
    path = "alpha" if version is None else f"alpha/{version}"
    transport = FakeTransport({f"{MASTER}/pypi/{path}/json": [answer]})
    made = retries(transport, Waits().patience(attempts=1))
    return asyncio.run(ProjectPages(MASTER, transport, made).legacy_json(ALPHA, version))


def fetch_from(server: Server, waits: Waits | None = None, **options: Any) -> PageAnswer:
    async def run() -> PageAnswer:
        async with CurlTransport(workers=2, timeout=5, global_timeout=30) as transport:
            made = retries(transport, (waits or Waits()).patience(), index=f"{server.url}/simple/")
            return await ProjectPages(server.url, transport, made).fetch(ALPHA, **options)

    return asyncio.run(run())


def found(answer: PageAnswer) -> ProjectPage:
    assert isinstance(answer, ProjectPage)
    return answer


class TestConditions:
    def test_json_is_asked_for_first(self) -> None:
        _, transport = fetch(page())

        assert transport.asked[0].headers == (f"Accept: {ACCEPT}",)
        assert transport.asked[0].compressed

    def test_an_etag_is_sent_back(self) -> None:
        answer, transport = fetch(said(status=304, headers={"x-pypi-last-serial": "9"}), etag='"e"')

        assert answer == NotModified(9)
        assert 'If-None-Match: "e"' in transport.asked[0].headers

    def test_an_etag_that_cannot_be_sent_back_is_none(self) -> None:
        assert found(fetch(page(headers={"etag": '"\xe9"'}))[0]).etag is None
        assert found(fetch(page(headers={"etag": 'W/"x"'}))[0]).etag == 'W/"x"'

    def test_not_modified_without_a_condition_is_an_error(self) -> None:
        with pytest.raises(UpstreamError, match="304"):
            fetch(said(status=304))

    @pytest.mark.parametrize("header", ["²", "9" * 5000, "-1", "", str(2**63)])
    def test_a_header_that_is_no_serial(self, header: str) -> None:
        assert found(fetch(page(None, headers={"x-pypi-last-serial": header}))[0]).serial is None


class TestPatience:
    def test_a_passing_trouble_is_tried_again(self) -> None:
        waits = Waits()
        lost = UpstreamUnavailable("lost", url=URL)
        answer, transport = fetch(lost, said(status=503, headers={"retry-after": "40"}), page(), waits=waits)

        assert found(answer).serial == 7
        assert transport.requests == 3
        assert waits.seconds[0] < 2
        assert waits.seconds[1] == 40

    def test_in_the_end_upstream_is_unavailable(self) -> None:
        with pytest.raises(UpstreamUnavailable) as caught:
            fetch(said(status=429, headers={"retry-after": "7"}))
        assert caught.value.retry_after == 7

    @pytest.mark.parametrize("status", [400, 401, 403, 451, 501])
    def test_other_errors_are_not(self, status: int) -> None:
        waits = Waits()
        with pytest.raises(UpstreamError, match=str(status)):
            fetch(said(status=status), waits=waits)
        assert waits.seconds == []


class TestStalePages:
    def test_are_asked_for_again_until_they_catch_up(self) -> None:
        waits = Waits()
        answer, transport = fetch(page(5), page(6), page(8), serial=7, exact=True, waits=waits)

        assert found(answer).serial == 8
        assert transport.requests == 3
        assert len(waits.seconds) == 2
        # It was a cache's copy.
        assert [NO_CACHE in request.headers for request in transport.asked] == [False, True, True]

    def test_are_not_asked_for_again_beyond_the_budget(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pypi_mirror.transport.retries._FLOOR", 0)
        waits, transport = Waits(), FakeTransport({URL: [page(5)]})
        pages = ProjectPages(MASTER, transport, retries(transport, waits.patience()))
        with pytest.raises(StalePage):
            asyncio.run(pages.fetch(ALPHA, serial=7, exact=True))

        # A third of so few requests is no second retry; the time for it goes by all the same.
        assert transport.requests == 2
        assert sum(waits.seconds) == pytest.approx(10)

    @pytest.mark.parametrize(
        "answer", [page(5), page(None), said(status=304, headers={"x-pypi-last-serial": "5"})]
    )
    def test_are_given_up_after_the_time_for_it(self, answer: Response) -> None:
        waits = Waits()
        with pytest.raises(StalePage) as caught:
            fetch(answer, serial=7, exact=True, etag='"e"', waits=waits)

        assert sum(waits.seconds) == pytest.approx(10)
        assert caught.value.wanted == 7

    def test_are_good_enough_where_nobody_waits_for_content(self) -> None:
        waits = Waits()
        assert found(fetch(page(5), serial=7, exact=False, waits=waits)[0]).serial == 5
        assert waits.seconds == []


class TestMissingPages:
    def test_of_a_new_project_are_waited_for(self) -> None:
        waits = Waits()
        assert found(fetch(said(status=404), said(status=404), page(), serial=7, waits=waits)[0]).serial == 7
        assert len(waits.seconds) == 2

    def test_are_believed_after_the_time_for_it(self) -> None:
        waits = Waits()
        assert fetch(said(status=404), serial=7, waits=waits)[0] == Gone()
        assert sum(waits.seconds) == pytest.approx(5)

    @pytest.mark.parametrize("options", [{"serial": 7, "gone": True, "exact": True}, {"serial": None}])
    @pytest.mark.parametrize("status", [404, 410])
    def test_are_believed_at_once_where_nothing_speaks_for_the_project(
        self, options: dict[str, Any], status: int
    ) -> None:
        waits = Waits()
        assert fetch(said(status=status), waits=waits, **options)[0] == Gone()
        assert waits.seconds == []

    @pytest.mark.parametrize(
        ("options", "waited"), [({"serial": 7, "gone": True}, 3), ({"serial": None, "held": True}, 5)]
    )
    def test_are_asked_for_again_where_they_may_be_wrong(self, options: dict[str, Any], waited: int) -> None:
        """What an index does not list can be quarantined: two more looks. What the mirror has was there."""
        waits = Waits()
        assert found(fetch(said(status=404), page(), waits=waits, **options)[0]).serial == 7
        waits = Waits()
        assert fetch(said(status=404), waits=waits, **options)[0] == Gone()
        assert sum(waits.seconds) == pytest.approx(waited, rel=0.2)

    def test_prove_nothing_where_nobody_may_ask_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pypi_mirror.transport.retries._FLOOR", -1)
        waits, transport = Waits(), FakeTransport({URL: [said(status=404)]})
        pages = ProjectPages(MASTER, transport, retries(transport, waits.patience()))
        with pytest.raises(UpstreamError, match="answered 404 once"):
            asyncio.run(pages.fetch(ALPHA, serial=7))
        assert transport.requests == 1


class TestFormats:
    @pytest.mark.parametrize(
        "content_type",
        ["text/html", "text/html; charset=UTF-8", "application/vnd.pypi.simple.v1+html", "Text/HTML"],
    )
    def test_html(self, content_type: str) -> None:
        body = '<a href="/x">alpha-1.0.tar.gz</a>'
        answer, _ = fetch(said(body, url=URL, headers={"content-type": content_type}))
        assert [each.url for each in found(answer).files] == [f"{MASTER}/x"]

    def test_links_are_relative_to_where_the_page_was_found(self) -> None:
        body = '<a href="x">alpha-1.0.tar.gz</a>'
        answer, _ = fetch(said(body, url="https://other.example/a/", headers={"content-type": "text/html"}))
        assert found(answer).files[0].url == "https://other.example/a/x"

    @pytest.mark.parametrize("content_type", ["", "text/plain", "application/json", "application/xhtml+xml"])
    def test_others_are_refused(self, content_type: str) -> None:
        with pytest.raises(UpstreamMalformed, match="is of type"):
            fetch(page(headers={"content-type": content_type}))


class TestLegacyJson:
    def test_as_upstream_wrote_it(self) -> None:
        body = '{"info": {"name": "Alpha", "x": 1}, "urls": []}'
        assert legacy(said(body)) == body.encode()

    def test_none(self) -> None:
        assert legacy(said(status=404)) is None

    def test_of_a_release(self) -> None:
        body = '{"info": {"name": "Alpha", "version": "1.0"}}'
        assert legacy(said(body), version="1.0") == body.encode()
        with pytest.raises(UpstreamMalformed, match=r"of release '1\.0', not '2\.0'"):
            legacy(said(body), version="2.0")

    @pytest.mark.parametrize("body", ["<html>sorry</html>", "{}", '{"info": {"name": 7}}', "[" * 100_000])
    def test_what_is_none_is_not_served(self, body: str) -> None:
        with pytest.raises(UpstreamMalformed, match="JSON API"):
            legacy(said(body))

    def test_of_another_project(self) -> None:
        with pytest.raises(UpstreamMalformed, match="'other'"):
            legacy(said('{"info": {"name": "other"}}'))


class TestAgainstTheStandIn:
    EVENTS = (
        Upload(distribution=Wheel(name="alpha", requires_python=">=3.8")),
        Yank(project="alpha", version="1.0", reason="a <b> & c"),
    )

    def test_a_page_and_the_next_time_none(self) -> None:
        with running(Warehouse(*self.EVENTS)) as server:
            first = found(fetch_from(server))
            again = fetch_from(server, etag=first.etag)
            server.apply(Archive(project="alpha"))
            changed = found(fetch_from(server, etag=first.etag))

        assert (first.serial, first.status.status, first.versions) == (
            server.warehouse.serial,
            "active",
            ("1.0",),
        )
        assert (first.files[0].yanked, first.files[0].requires_python) == ("a <b> & c", ">=3.8")
        assert again == NotModified(first.serial)
        assert changed.status.status == "archived"

    @pytest.mark.parametrize("behaviour", [SERIAL_LESS, HTML_ONLY])
    def test_without_serials(self, behaviour: Behaviour) -> None:
        with running(Warehouse(*self.EVENTS), behaviour=behaviour) as server:
            read = found(fetch_from(server))

        assert read.serial is None
        assert [(each.filename, each.yanked) for each in read.files] == [
            ("alpha-1.0-py3-none-any.whl", "a <b> & c")
        ]
        assert read.files[0].sha256 == server.warehouse.file("alpha-1.0-py3-none-any.whl").sha256

    def test_html_says_the_same_as_json(self) -> None:
        warehouse = Warehouse(*self.EVENTS)
        with running(warehouse) as json_, running(warehouse, behaviour=HTML_ONLY) as html:
            one, other = found(fetch_from(json_)).files[0], found(fetch_from(html)).files[0]

        for field in ("filename", "hashes", "yanked", "requires_python"):
            assert getattr(one, field) == getattr(other, field)

    def test_a_stale_copy(self) -> None:
        waits = Waits()
        warehouse = Warehouse(Upload(distribution=Wheel(name="alpha")), *self.EVENTS[1:])
        faults = (Fault(path="/simple/alpha/", effect=ServeStale(), times=2),)
        with running(warehouse, faults=faults) as server:
            read = found(fetch_from(server, waits, serial=warehouse.serial, exact=True))

        assert read.files[0].yanked == "a <b> & c"
        assert len(waits.seconds) == 2

    def test_a_role_event_leaves_the_page_behind(self) -> None:
        warehouse = Warehouse(*self.EVENTS, AddRole(project="alpha", user="bob"))
        with running(warehouse) as server:
            assert (found(fetch_from(server, serial=warehouse.serial)).serial or 0) < warehouse.serial

    def test_a_new_project_that_the_edge_does_not_know(self) -> None:
        faults = (Fault(path="/simple/alpha/", effect=Missing(), times=2),)
        with running(Warehouse(*self.EVENTS), faults=faults) as server:
            assert found(fetch_from(server, serial=1)).files

    def test_quarantined_empty_and_removed(self) -> None:
        with running(Warehouse(*self.EVENTS, Quarantine(project="alpha"))) as server:
            read = found(fetch_from(server))
            assert (read.status.status, read.files) == ("quarantined", ())
            server.apply(RemoveProject(project="alpha"))
            assert fetch_from(server, serial=server.warehouse.serial, gone=True) == Gone()
            server.apply(Create(project="alpha"))
            assert (found(fetch_from(server)).files, found(fetch_from(server)).versions) == ((), ())

    @pytest.mark.parametrize("effect", [HtmlError(), Truncate(keep=50)])
    def test_a_broken_page_is_malformed(self, effect: HtmlError | Truncate) -> None:
        faults = (Fault(path="/simple/*", effect=effect, times=None),)
        # Compression would make the half page a broken stream, which is another trouble.
        with (
            running(Warehouse(*self.EVENTS), faults=faults, behaviour=Behaviour(gzip=False)) as server,
            pytest.raises(UpstreamMalformed),
        ):
            fetch_from(server)

    def test_a_passing_trouble(self) -> None:
        with running(Warehouse(*self.EVENTS), faults=(Fault(path="*", effect=Status(code=502)),)) as server:
            assert found(fetch_from(server)).files


def test_the_fake_is_a_transport() -> None:
    transport: Transport = FakeTransport({})
    assert transport.requests == 0
