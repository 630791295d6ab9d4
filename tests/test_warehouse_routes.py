"""What the recordings do not show: negotiation, conditions, ranges, compression, other kinds of index."""

import gzip
import json
from pathlib import Path
from xmlrpc.client import Fault as XmlRpcFault
from xmlrpc.client import dumps, loads

import pytest

from tests.warehouse import (
    HTML_ONLY,
    PYPI,
    SERIAL_LESS,
    STATIC,
    Artifact,
    BackfillMetadata,
    BackfillProvenance,
    Behaviour,
    ClearQuarantine,
    Create,
    Declared,
    Gap,
    Hosts,
    Other,
    Quarantine,
    QuarantineRelease,
    Rename,
    Sdist,
    Upload,
    Warehouse,
    Wheel,
    Yank,
)
from tests.warehouse.answers import Answer, FileSlice, negotiate
from tests.warehouse.model import File
from tests.warehouse.requests import Request
from tests.warehouse.routes import HTML, V1_HTML, V1_JSON, Routes

HOSTS = Hosts(site="https://index.example", files="https://files.example")
OFFERS = (HTML, V1_HTML, V1_JSON)
UV = b"application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"


def index(*events: object, behaviour: Behaviour = PYPI) -> Routes:
    uploads = (
        Upload(distribution=Wheel(name="Foo.Bar", requires_python=">=3.8", size=500)),
        Upload(distribution=Sdist(name="Foo.Bar")),
    )
    return Routes(Warehouse(*uploads, *events), behaviour, HOSTS)  # type: ignore[arg-type]


def get(routes: Routes, path: str, method: str = "GET", **headers: str) -> Answer:
    pairs = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
    return routes.respond(Request(method=method, path=path, pairs=pairs))[1]


def page(routes: Routes, path: str = "/simple/foo-bar/") -> dict[str, object]:
    answer = get(routes, path, accept=V1_JSON.decode())
    assert answer.header(b"Content-Type") == V1_JSON
    return dict(json.loads(body(answer)))


def body(answer: Answer) -> bytes:
    return answer.body.read() if isinstance(answer.body, FileSlice) else answer.body


def call(routes: Routes, method: str, *parameters: object) -> object:
    request = Request(
        method="POST",
        path="/pypi",
        pairs=[(b"content-type", b"text/xml")],
        body=dumps(parameters, method, allow_none=True).encode(),  # type: ignore[arg-type]
    )
    kind, answer = routes.respond(request)
    assert (kind, answer.status) == ("xmlrpc", 200)
    return loads(body(answer))[0][0]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, HTML),
        (b"", HTML),
        (b"*/*", HTML),
        (UV, V1_JSON),
        (b"application/vnd.pypi.simple.v1+html, text/html;q=0.9", V1_HTML),
        (b"text/html;q=0.1, application/vnd.pypi.simple.v1+json;q=0.2", V1_JSON),
        (b"application/*", V1_HTML),
        (b"*/*;q=0.1, text/html;q=0", V1_HTML),
        (b"*/*;q=0.5, application/vnd.pypi.simple.v1+json", V1_JSON),
        (b"APPLICATION/VND.PYPI.SIMPLE.V1+JSON; Q=1", V1_JSON),
        (b"application/vnd.pypi.simple.latest+json", None),
        (b"text/html;q=nonsense", None),
        (b"text/html;q=0", None),
    ],
)
def test_the_best_quality_decides_and_the_order_of_offers_between_equals(
    accept: bytes | None, chosen: bytes | None
) -> None:
    assert negotiate(accept, OFFERS) == chosen


def test_a_client_that_accepts_gzip_gets_a_smaller_page_with_its_own_etag() -> None:
    routes = index()
    plain = get(routes, "/simple/foo-bar/")
    small = get(routes, "/simple/foo-bar/", accept_encoding="br, gzip;q=0.5")
    assert small.header(b"Content-Encoding") == b"gzip"
    assert gzip.decompress(body(small)) == body(plain)
    assert small.header(b"Content-Length") == b"%d" % len(body(small))
    assert small.header(b"ETag") != plain.header(b"ETag")
    assert get(routes, "/simple/foo-bar/", accept_encoding="gzip;q=0").header(b"Content-Encoding") is None


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_an_unchanged_page_is_304_and_a_changed_one_is_not(form: str) -> None:
    routes = index()
    condition = form.format((get(routes, "/simple/foo-bar/").header(b"ETag") or b"").decode())
    unchanged = get(routes, "/simple/foo-bar/", if_none_match=condition)
    assert (unchanged.status, body(unchanged)) == (304, b"")
    routes.warehouse.apply(Yank(project="foo-bar", version="1.0"))
    expected = 304 if form == "*" else 200
    assert get(routes, "/simple/foo-bar/", if_none_match=condition).status == expected


def test_a_page_is_rendered_once_for_a_state() -> None:
    routes = index()
    first, second = (get(routes, "/simple/foo-bar/") for _ in range(2))
    assert second is first
    root, root_again = (get(routes, "/simple/") for _ in range(2))
    assert root_again is root


def test_a_quarantined_project_leaves_the_root_index_and_comes_back() -> None:
    routes = index(Quarantine(project="foo-bar"))
    assert page(routes, "/simple/")["projects"] == []
    assert page(routes)["files"] == []
    routes.warehouse.apply(ClearQuarantine(project="foo-bar"))
    assert page(routes, "/simple/")["projects"] == [{"name": "Foo.Bar", "_last-serial": 7}]
    assert len(page(routes)["files"]) == 2  # type: ignore[arg-type]


def test_a_quarantined_release_hides_its_files_alone() -> None:
    routes = index(
        Upload(distribution=Wheel(name="Foo.Bar", version="2.0")),
        QuarantineRelease(project="foo-bar", version="1.0"),
    )
    assert page(routes)["versions"] == ["2.0"]


def test_pages_list_versions_in_their_order_and_files_by_name() -> None:
    routes = index(
        Upload(distribution=Wheel(name="Foo.Bar", version="1.10")),
        Upload(distribution=Sdist(name="Foo.Bar", version="1.9")),
        Create(project="aaa"),
    )
    shown = page(routes)
    assert shown["versions"] == ["1.0", "1.9", "1.10"]
    files = shown["files"]
    assert isinstance(files, list)
    assert [file["filename"] for file in files] == [
        "foo_bar-1.0-py3-none-any.whl",
        "foo_bar-1.0.tar.gz",
        "foo_bar-1.9.tar.gz",
        "foo_bar-1.10-py3-none-any.whl",
    ]
    assert [each["name"] for each in page(routes, "/simple/")["projects"]] == ["aaa", "Foo.Bar"]  # type: ignore[attr-defined]


def test_a_yank_without_reason_is_true_in_json_and_empty_in_html() -> None:
    routes = index(Yank(project="foo-bar", version="1.0"))
    assert [file["yanked"] for file in page(routes)["files"]] == [True, True]  # type: ignore[attr-defined]
    assert body(get(routes, "/simple/foo-bar/")).count(b'data-yanked="" ') == 2


def test_what_projects_say_is_escaped_in_html() -> None:
    routes = index(Yank(project="foo-bar", version="1.0", reason="<script>'\"&"))
    assert b'data-yanked="&lt;script&gt;&#39;&#34;&amp;"' in body(get(routes, "/simple/foo-bar/"))


def test_backfills_change_the_page_and_its_etag_but_not_its_serial() -> None:
    routes = Routes(Warehouse(Upload(distribution=Wheel(name="alpha"), core_metadata=False)), PYPI, HOSTS)
    name = "alpha-1.0-py3-none-any.whl"
    metadata = "/" + routes.warehouse.file(name).path + ".metadata"
    before = get(routes, "/simple/alpha/")
    assert b"core-metadata" not in body(before)
    assert get(routes, metadata).status == 404
    routes.warehouse.apply(
        BackfillMetadata(project="alpha", filename=name), BackfillProvenance(project="alpha", filename=name)
    )
    after = get(routes, "/simple/alpha/")
    assert b'data-core-metadata="sha256=' in body(after)
    assert b"data-provenance" in body(after)
    assert after.header(b"ETag") != before.header(b"ETag")
    assert after.header(b"X-PyPI-Last-Serial") == before.header(b"X-PyPI-Last-Serial")
    assert body(get(routes, metadata)) == Wheel(name="alpha").core_metadata()


def test_a_filename_with_a_plus_keeps_it_in_its_address() -> None:
    routes = Routes(Warehouse(Upload(distribution=Wheel(name="alpha", version="1.0+cu118"))), PYPI, HOSTS)
    files = page(routes, "/simple/alpha/")["files"]
    assert files[0]["url"].endswith("/alpha-1.0+cu118-py3-none-any.whl")  # type: ignore[index]


def test_a_declared_address_replaces_the_file_hosts() -> None:
    declared = Declared(name="x", version="1", filename="x-1.tar.gz", url="../../../etc/passwd")
    routes = Routes(Warehouse(Upload(distribution=declared)), PYPI, HOSTS)
    assert b'href="../../../etc/passwd#sha256=' in body(get(routes, "/simple/x/"))


def stored(routes: Routes) -> tuple[File, bytes]:
    file = routes.warehouse.file("foo_bar-1.0-py3-none-any.whl")
    content = file.distribution.content()
    assert isinstance(content, bytes)
    return file, content


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("bytes=0-9", 0, 10), ("bytes=10-", 10, None), ("bytes=-7", -7, None), ("bytes=5-99999999", 5, None)],
)
def test_a_range_of_a_file(wanted: str, start: int, stop: int | None) -> None:
    routes = index()
    file, content = stored(routes)
    answer = get(routes, "/" + file.path, range=wanted)
    part = content[start:stop]
    first = content.index(part)
    assert (answer.status, body(answer)) == (206, part)
    assert answer.header(b"Content-Range") == b"bytes %d-%d/%d" % (first, first + len(part) - 1, len(content))


def test_a_range_beyond_the_end_is_416_with_the_size() -> None:
    routes = index()
    file, content = stored(routes)
    answer = get(routes, "/" + file.path, range=f"bytes={len(content)}-")
    assert (answer.status, answer.header(b"Content-Range")) == (416, b"bytes */%d" % len(content))


def test_a_range_counts_only_while_if_range_holds() -> None:
    routes = index()
    file, content = stored(routes)
    whole = get(routes, "/" + file.path)
    for validator in (b"ETag", b"Last-Modified"):
        holds = (whole.header(validator) or b"").decode()
        assert get(routes, "/" + file.path, range="bytes=0-1", if_range=holds).status == 206
    changed = get(routes, "/" + file.path, range="bytes=0-1", if_range='"other"')
    assert (changed.status, body(changed)) == (200, content)


@pytest.mark.parametrize("suffix", ["", ".metadata"])
def test_files_know_conditions(suffix: str) -> None:
    routes = index()
    path = "/" + stored(routes)[0].path + suffix
    whole = get(routes, path)
    etag, date = ((whole.header(name) or b"").decode() for name in (b"ETag", b"Last-Modified"))
    assert get(routes, path, if_none_match=etag).status == 304
    assert get(routes, path, if_modified_since=date).status == 304
    assert get(routes, path, if_modified_since=date, if_none_match='"other"').status == 200


def test_a_file_on_disk_is_served_in_parts_too(tmp_path: Path) -> None:
    wheel = Wheel(name="alpha", size=1_000)
    on_disk = tmp_path / wheel.file_name
    content = wheel.content()
    on_disk.write_bytes(content)
    routes = Routes(Warehouse(Upload(distribution=Artifact.of(on_disk))), PYPI, HOSTS)
    path = "/" + routes.warehouse.file(wheel.file_name).path
    assert body(get(routes, path)) == content
    assert body(get(routes, path, range="bytes=100-199")) == content[100:200]


def test_an_sdist_has_no_metadata_file() -> None:
    routes = index()
    path = routes.warehouse.file("foo_bar-1.0.tar.gz").path
    assert get(routes, f"/{path}.metadata").status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/search/"),
        ("GET", "/simple/a/b/"),
        ("GET", "/packages/foo_bar-1.0.tar.gz"),
        ("GET", "/pypi/foo-bar/"),
        ("PUT", "/simple/foo-bar/"),
        ("POST", "/simple/"),
        ("POST", "/pypi"),
    ],
)
def test_requests_upstream_has_no_answer_for_are_unexpected(method: str, path: str) -> None:
    kind, answer = index().respond(Request(method=method, path=path))
    assert (kind, answer.status) == ("unexpected", 404)


def test_a_person_who_opens_the_server_finds_the_way_to_its_projects() -> None:
    kind, answer = index().respond(Request(method="GET", path="/"))
    assert (kind, answer.status) == ("unexpected", 404)
    assert b'href="/simple/"' in answer.body


def test_the_changelog_comes_in_pages() -> None:
    routes = index(behaviour=Behaviour(changelog_page=2))
    pages = [call(routes, "changelog_since_serial", since) for since in (0, 2, 4, 5)]
    serials = [[row[4] for row in rows] for rows in pages]  # type: ignore[attr-defined]
    assert serials == [[1, 2], [3, 4], [5], []]


def test_the_changelog_finds_its_place_among_gaps() -> None:
    routes = index(Gap(size=10), Yank(project="foo-bar", version="1.0"))
    for since in (5, 9, 15):
        rows = call(routes, "changelog_since_serial", since)
        assert [row[4] for row in rows] == [16]  # type: ignore[attr-defined]
    assert call(routes, "changelog_last_serial") == 16


def test_journal_text_is_safe_in_xml_and_names_keep_their_spelling_of_that_time() -> None:
    routes = index(Other(project="Foo.Bar", action="add …\x07"), Rename(project="foo-bar", name="foo_BAR"))
    rows = call(routes, "changelog_since_serial", 5)
    assert rows[0][:4:3] == ["Foo.Bar", "add &#8230;"]  # type: ignore[index]
    assert call(routes, "list_packages_with_serial") == {"foo_BAR": 6}


@pytest.mark.parametrize(
    ("method", "parameters", "code", "text"),
    [
        ("changelog_since_serial", (), -32602, "client error; serial: Missing required argument"),
        ("changelog_since_serial", (True,), -32602, "client error; serial: Input should be a valid integer"),
        ("changelog_since_serial", (1, 2), -32602, "client error; 2: Unexpected positional argument"),
        ("release_data", ("a", "1"), -32500, "RuntimeError: PyPI no longer supports the XMLRPC release_data"),
    ],
)
def test_wrong_calls_are_faults(method: str, parameters: tuple[object, ...], code: int, text: str) -> None:
    with pytest.raises(XmlRpcFault) as caught:
        call(index(), method, *parameters)
    assert caught.value.faultCode == code
    assert caught.value.faultString.startswith(text)


def test_what_is_no_xml_is_a_fault() -> None:
    request = Request(method="POST", path="/pypi", pairs=[(b"content-type", b"text/xml")], body=b"<nonsense")
    answer = index().respond(request)[1]
    with pytest.raises(XmlRpcFault, match="not well formed"):
        loads(body(answer))


def test_the_quota_recovers_when_the_window_has_passed() -> None:
    now = 1000.0
    routes = index(behaviour=Behaviour(quota=2, window=60))
    routes.xmlrpc.limiter.clock = lambda: now
    assert call(routes, "changelog_last_serial") == 5
    with pytest.raises(XmlRpcFault, match="Limit may reset in 60 seconds"):
        call(routes, "changelog_last_serial")
    now += 60
    assert call(routes, "changelog_last_serial") == 5


def test_a_static_index_has_pages_and_serials_but_no_xmlrpc() -> None:
    routes = index(behaviour=STATIC)
    request = Request(method="POST", path="/pypi", pairs=[(b"content-type", b"text/xml")])
    kind, answer = routes.respond(request)
    assert (kind, answer.status) == ("xmlrpc", 405)
    assert page(routes)["meta"] == {"_last-serial": 5, "api-version": "1.4"}
    assert get(routes, "/pypi/foo-bar/json").status == 404


def test_a_serial_less_index_shows_no_serial_anywhere() -> None:
    routes = index(behaviour=SERIAL_LESS)
    for path in ("/simple/", "/simple/foo-bar/"):
        assert page(routes, path)["meta"] == {"api-version": "1.4"}
        html = get(routes, path)
        assert html.header(b"X-PyPI-Last-Serial") is None
        assert b"SERIAL" not in body(html)
    assert page(routes, "/simple/")["projects"] == [{"name": "Foo.Bar"}]


def test_an_html_only_index_never_gives_json_or_what_came_after_pep_503() -> None:
    routes = index(Yank(project="foo-bar", version="1.0", reason="bad"), behaviour=HTML_ONLY)
    for path in ("/simple/", "/simple/foo-bar/"):
        answer = get(routes, path, accept=UV.decode())
        assert answer.header(b"Content-Type") == b"text/html; charset=UTF-8"
        assert b"pypi:" not in body(answer)
        assert b"metadata" not in body(answer)
    assert b'data-requires-python="&gt;=3.8" data-yanked="bad"' in body(get(routes, "/simple/foo-bar/"))


@pytest.mark.parametrize(
    ("uploaded", "yanked", "latest"),
    [
        (("1.9", "1.10"), (), "1.10"),
        (("1.0", "2.0rc1"), (), "1.0"),
        (("1.0rc1", "1.0rc2"), (), "1.0rc2"),
        (("1.0", "1.1", "2.0rc1"), ("1.1",), "1.0"),
        (("1.0", "2.0rc1"), ("1.0",), "2.0rc1"),
    ],
)
def test_the_legacy_api_describes_the_best_release(
    uploaded: tuple[str, ...], yanked: tuple[str, ...], latest: str
) -> None:
    warehouse = Warehouse(
        *(Upload(distribution=Wheel(name="alpha", version=version)) for version in uploaded),
        *(Yank(project="alpha", version=version) for version in yanked),
    )
    data = json.loads(body(get(Routes(warehouse, PYPI, HOSTS), "/pypi/alpha/json")))
    assert data["info"]["version"] == latest
    assert set(data["releases"]) == set(uploaded)
    assert [each["filename"] for each in data["urls"]] == [f"alpha-{latest}-py3-none-any.whl"]


def test_the_legacy_api_knows_a_version_in_any_spelling() -> None:
    data = json.loads(body(get(index(), "/pypi/foo-bar/1/json")))
    assert data["info"]["version"] == "1.0"
    assert "releases" not in data
