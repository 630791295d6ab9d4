"""nginx over a small mirror, asked what clients, people and attackers ask."""

import dataclasses
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from pypi_mirror.webserver.nginx_binary import capabilities
from pypi_mirror.webserver.render import METRICS_TYPE
from tests.webserver.sites import (
    BINARIES,
    DISPLAY_NAME,
    FILE,
    FILE_BYTES,
    INDEX_SERIAL,
    PROJECT,
    SERIAL,
    LiveSite,
    page_directory,
    serving,
    settings_for,
)

pytestmark = pytest.mark.servers

JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
HTML = "text/html; charset=utf-8"
PAGE = f"/simple/{PROJECT}/"


@pytest.fixture(scope="module", params=BINARIES)
def nginx(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def site(nginx: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    with serving(settings_for(tmp_path_factory.mktemp("site"), nginx=nginx)) as live:
        yield live


def has_gzip_static(site: LiveSite) -> bool:
    return capabilities(Path(site.settings.site.nginx or "")).gzip_static


@pytest.mark.parametrize("path", ["/simple/", PAGE])
@pytest.mark.parametrize(
    ("accept", "content_type", "name"),
    [
        (JSON, JSON, "index.v1_json"),
        (V1_HTML, V1_HTML, "index.html"),
        ("text/html", HTML, "index.html"),
    ],
)
def test_pages_in_three_content_types(
    site: LiveSite, path: str, accept: str, content_type: str, name: str
) -> None:
    directory = site.settings.web / "simple" if path == "/simple/" else page_directory(site.settings)
    reply = site.get(path, Accept=accept)
    assert reply.status == 200
    assert reply.header("Content-Type") == content_type
    assert reply.body == (directory / name).read_bytes()
    assert reply.header("Cache-Control") == "max-age=60, public"
    assert reply.header("X-Content-Type-Options") == "nosniff"
    assert reply.header("Vary") == ("Accept, Accept-Encoding" if has_gzip_static(site) else "Accept")
    assert (reply.header("Content-Security-Policy") is None) == (name == "index.v1_json")


@pytest.mark.parametrize("accept", [JSON, V1_HTML, "text/html"])
def test_compressed_pages_are_the_twins_with_strong_etags_of_their_own(site: LiveSite, accept: str) -> None:
    plain = site.get(PAGE, Accept=accept)
    packed = site.get(PAGE, Accept=accept, Accept_Encoding="gzip, br")
    for reply in (plain, packed):
        assert (reply.header("ETag") or "").startswith('"')
    assert plain.header("Content-Encoding") is None
    if has_gzip_static(site):
        assert packed.header("Content-Encoding") == "gzip"
        assert packed.header("Content-Type") == plain.header("Content-Type")
        name = "index.v1_json" if accept == JSON else "index.html"
        assert packed.body == (page_directory(site.settings) / f"{name}.gz").read_bytes()
        assert gzip.decompress(packed.body) == plain.body
        assert packed.header("ETag") != plain.header("ETag")
    else:
        assert packed.header("Content-Encoding") is None
        assert packed.body == plain.body


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("accept", [JSON, V1_HTML, "text/html"])
def test_304_with_the_etag_and_200_without(site: LiveSite, accept: str, encoding: str) -> None:
    first = site.get(PAGE, Accept=accept, Accept_Encoding=encoding)
    etag = first.header("ETag") or ""
    second = site.get(PAGE, Accept=accept, Accept_Encoding=encoding, If_None_Match=etag)
    assert (second.status, second.body) == (304, b"")
    assert second.header("ETag") == etag
    assert second.header("Vary") == first.header("Vary")
    assert second.header("Cache-Control") == first.header("Cache-Control")
    assert site.get(PAGE, Accept=accept, Accept_Encoding=encoding, If_None_Match='"other"').status == 200


def test_the_etag_of_one_format_does_not_confirm_another_of_another_size(site: LiveSite) -> None:
    etag = site.get(PAGE, Accept=JSON).header("ETag") or ""
    assert site.get(PAGE, Accept="text/html", If_None_Match=etag).status == 200


def test_gzip_is_sent_to_proxies_and_to_http_1_0_and_not_where_it_is_refused(site: LiveSite) -> None:
    expected = "gzip" if has_gzip_static(site) else None
    assert site.get(PAGE, Accept_Encoding="gzip", Via="1.1 cache").header("Content-Encoding") == expected
    assert site.get(PAGE, Accept_Encoding="gzip;q=0").header("Content-Encoding") is None


def test_a_renamed_page_is_served_at_once(site: LiveSite) -> None:
    page = page_directory(site.settings) / "index.html"
    before = page.read_bytes()
    site.get(PAGE)
    try:
        for word in (b"one", b"two"):
            page.with_name(".tmp-new").write_bytes(word)
            page.with_name(".tmp-new").rename(page)
            assert site.get(PAGE).body == word
    finally:
        page.write_bytes(before)


def test_a_whole_file(site: LiveSite) -> None:
    reply = site.get(f"/{FILE}", Accept_Encoding="gzip")
    assert (reply.status, reply.body) == (200, FILE_BYTES)
    assert reply.header("Content-Type") == "application/octet-stream"
    assert reply.header("Cache-Control") == "max-age=365000000, immutable, public"
    assert reply.header("Accept-Ranges") == "bytes"
    assert reply.header("Content-Encoding") is None
    assert reply.header("Vary") is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("bytes=0-9", slice(0, 10)), ("bytes=-50", slice(-50, None)), ("bytes=4000-", slice(4000, None))],
)
def test_a_range_of_a_file(site: LiveSite, asked: str, expected: slice) -> None:
    reply = site.get(f"/{FILE}", Range=asked)
    assert (reply.status, reply.body) == (206, FILE_BYTES[expected])
    assert (reply.header("Content-Range") or "").endswith(f"/{len(FILE_BYTES)}")


def test_a_range_is_resumed_only_of_the_same_file(site: LiveSite) -> None:
    etag = site.get(f"/{FILE}").header("ETag") or ""
    assert site.get(f"/{FILE}", Range="bytes=1-2", If_Range=etag).status == 206
    assert site.get(f"/{FILE}", Range="bytes=1-2", If_Range='"other"').status == 200
    assert site.get(f"/{FILE}", Range=f"bytes={len(FILE_BYTES)}-").status == 416


def test_many_ranges_at_once_are_not_worth_the_work(site: LiveSite) -> None:
    ranges = ",".join(f"{n}-{n}" for n in range(0, 80, 2))
    assert site.get(f"/{FILE}", Range=f"bytes={ranges}").status == 200


def test_metadata_provenance_and_legacy_json(site: LiveSite) -> None:
    metadata = site.get(f"/{FILE}.metadata")
    assert (metadata.status, metadata.header("Content-Type")) == (200, "application/octet-stream")
    provenance = site.get(f"/{FILE}.provenance")
    assert provenance.header("Content-Type") == "application/vnd.pypi.integrity.v1+json"
    assert metadata.header("Cache-Control") == "max-age=365000000, immutable, public"
    assert provenance.header("Cache-Control") == "max-age=60, public"
    legacy = site.get(f"/pypi/{PROJECT}/json")
    assert (legacy.status, legacy.header("Content-Type")) == (200, "application/json")
    assert legacy.header("Cache-Control") == "max-age=60, public"


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("", "/pypi/"),
        ("/simple", "/pypi/simple/"),
        (f"/simple/{PROJECT}", f"/pypi/simple/{PROJECT}/"),
        (f"/simple/{DISPLAY_NAME}", f"/pypi/simple/{PROJECT}/"),
        ("/simple/ZOPE__.-interface?a=b", f"/pypi/simple/{PROJECT}/?a=b"),
        ("/simple//zope%2Einterface", f"/pypi/simple/{PROJECT}/"),
        (f"/pypi/{DISPLAY_NAME}/json", f"/pypi/pypi/{PROJECT}/json"),
        ("/pypi/ZOPE_INTERFACE/json/?a=b", f"/pypi/pypi/{PROJECT}/json?a=b"),
        (f"/pypi/{DISPLAY_NAME}/7.0/json", f"/pypi/pypi/{PROJECT}/7.0/json"),
        ("/packages", "/pypi/packages/"),
    ],
)
def test_redirects_keep_scheme_host_and_port(site: LiveSite, asked: str, target: str) -> None:
    reply = site.get(asked)
    assert reply.status == 301
    location = reply.header("Location") or ""
    assert location.startswith("/"), "not every client resolves a relative path"
    assert (
        urljoin(f"https://outside.example:8443/pypi{asked}", location)
        == f"https://outside.example:8443{target}"
    )


def test_the_host_header_does_not_get_into_a_redirect(site: LiveSite) -> None:
    reply = site.get("/simple/Zope.Interface", Host="evil.example")
    assert reply.all("Location") == [f"/pypi/simple/{PROJECT}/"]


@pytest.mark.parametrize(
    "asked",
    [
        f"/simple/{PROJECT}/",
        f"/simple/{DISPLAY_NAME}/",
        f"/simple/{PROJECT.upper()}/",
        "/simple/ZOPE__.-interface/",
        "/simple/zope%2Einterface/",
        f"/simple//{DISPLAY_NAME}/",
        f"/simple///{PROJECT}/",
        f"//simple/{PROJECT}/",
        f"/simple/{PROJECT}//",
        f"/simple//{PROJECT}//",
        f"/simple/{PROJECT}/?a=b",
    ],
)
def test_any_spelling_is_the_page_and_its_links_lead_to_the_files(site: LiveSite, asked: str) -> None:
    page = site.get(asked, Accept=JSON)
    assert (page.status, page.header("Location")) == (200, None)
    assert page.body == (page_directory(site.settings) / "index.v1_json").read_bytes()
    assert page.header("X-PyPI-Last-Serial") == str(SERIAL)
    base = f"http://mirror.example{asked}"
    for suffix, content in (
        ("", FILE_BYTES),
        (".metadata", b"Metadata-Version: 2.4\n"),
        (".provenance", b"{}"),
    ):
        link = urljoin(base, f"../../{FILE}{suffix}").removeprefix("http://mirror.example")
        assert site.get(link).body == content


def test_a_project_of_a_page_newer_than_the_name_map(site: LiveSite) -> None:
    newer = page_directory(site.settings).with_name("brand-new")
    newer.mkdir(exist_ok=True)
    (newer / "index.v1_json").write_bytes(b"new\n")
    page = site.get("/simple/brand-new/", Accept=JSON)
    assert (page.status, page.body, page.header("X-PyPI-Last-Serial")) == (200, b"new\n", None)


def test_a_proxy_that_serves_the_site_below_another_path(nginx: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, nginx=nginx, prefix="/inside")
    public = dataclasses.replace(settings.site, public_url="https://mirror.example/out/side")
    with serving(dataclasses.replace(settings, site=public)) as site:
        for asked, target in (
            ("/simple", "/out/side/simple/"),
            ("/simple/Zope.Interface", f"/out/side/simple/{PROJECT}/"),
            ("/pypi/Zope.Interface/json", f"/out/side/pypi/{PROJECT}/json"),
            ("", "/out/side/"),
        ):
            assert site.get(asked).header("Location") == target
        assert site.get(PAGE).status == 200


@pytest.mark.parametrize("path", ["/simple/", PAGE, f"/pypi/{PROJECT}/json", f"/pypi/{PROJECT}/7.0/json"])
def test_serials_for_mirrors_of_this_one(site: LiveSite, path: str) -> None:
    serial = INDEX_SERIAL if path == "/simple/" else SERIAL
    for accept in (JSON, V1_HTML, "text/html"):
        reply = site.get(path, Accept=accept)
        assert (reply.status, reply.header("X-PyPI-Last-Serial")) == (200, str(serial))
    again = site.get(path, Accept=JSON, If_None_Match=site.get(path, Accept=JSON).header("ETag") or "")
    assert (again.status, again.header("X-PyPI-Last-Serial")) == (304, str(serial))
    assert site.get("/simple/unknown/").header("X-PyPI-Last-Serial") is None
    assert site.get(f"/{FILE}").header("X-PyPI-Last-Serial") is None


@pytest.mark.parametrize(
    "path",
    [
        f"/pypi/{PROJECT}/json",
        f"/pypi/{PROJECT}/json/",
        f"/pypi/{PROJECT}/7.0/json",
        f"/pypi/{PROJECT}/7.0/json/",
    ],
)
def test_legacy_json_of_a_project_and_of_a_release(site: LiveSite, path: str) -> None:
    reply = site.get(path)
    assert (reply.status, reply.header("Content-Type")) == (200, "application/json")
    assert reply.body == (b'{"release":"7.0"}' if "7.0" in path else b"{}")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/simple/", 200),
        (PAGE, 200),
        (f"/simple/{PROJECT}", 301),
        (f"/{FILE}", 200),
        (f"/{FILE}.metadata", 200),
        (f"/{FILE}.provenance", 200),
        (f"/pypi/{PROJECT}/json", 200),
        ("/mirror.json", 200),
        ("/", 200),
        ("/packages/", 200),
        ("/nowhere", 404),
        ("/simple/unknown/", 404),
    ],
)
def test_pages_of_other_sites_may_read_everything(site: LiveSite, path: str, status: int) -> None:
    for more in ({}, {"Origin": "https://lab.example"}):
        reply = site.get(path, **more)
        assert reply.status == status
        assert reply.all("Access-Control-Allow-Origin") == ["*"]
        exposed = (reply.header("Access-Control-Expose-Headers") or "").split(", ")
        assert {"ETag", "Content-Range", "X-PyPI-Last-Serial"} <= set(exposed)
    asked = site.get(
        path,
        method="OPTIONS",
        Origin="https://lab.example",
        Access_Control_Request_Method="GET",
        Access_Control_Request_Headers="accept,if-none-match,range",
    )
    assert (asked.status, asked.body) == (204, b"")
    assert asked.all("Access-Control-Allow-Origin") == ["*"]
    assert asked.header("Access-Control-Allow-Methods") == "GET, HEAD, OPTIONS"
    allowed = (asked.header("Access-Control-Allow-Headers") or "").lower().split(", ")
    assert {"accept", "content-type", "if-none-match", "range"} <= set(allowed)
    assert asked.header("Access-Control-Max-Age") == "86400"


def test_pages_of_other_sites_can_read_what_went_wrong(site: LiveSite) -> None:
    for reply, status in (
        (site.get("/simple/", method="POST", Content_Length="0"), 405),
        (site.get("/simple/", Content_Length="1000000"), 413),
        (site.get(f"/{FILE}", Range="bytes=999999-"), 416),
        (site.get("/%"), 400),
    ):
        assert (reply.status, reply.all("Access-Control-Allow-Origin")) == (status, ["*"])


@pytest.mark.parametrize(
    "path",
    [
        "/simple/unknown/",
        "/simple/Unknown/",
        "/simple/Unknown",
        f"/simple/{PROJECT}/other",
        f"/simple/{PROJECT}/index.html.gz",
        f"/simple/{PROJECT}/%0a",
        f"/simple/{PROJECT}%0a/",
        "/simple/zope--interface--/",
        "/simple/.hidden/",
        "/simple/%2e%2e%2f%2e%2e%2fledger.sqlite",
        "/.hidden",
        "/packages/.tmp-1",
        f"/{FILE[:-4]}",
        "/@json/index.v1_json",
        "/@preflight",
        "/packages/.held/x-1.0.tar.gz",
        "/packages/.identity",
        "/packages/%2eidentity",
        "/simple/packages/.identity",
        "/simple/.identity",
        f"/simple/{PROJECT}/.tmp-1",
        f"/packages/ab/cd/{'e' * 60}/.tmp-1",
        f"/pypi/{PROJECT}/.tmp-1",
        f"/pypi/{PROJECT}/.tmp/json",
        f"/pypi/{PROJECT}/8.0/json",
        "/simple/not.mirrored/",
        "-secret/x",
        ".bak",
        "../ledger.sqlite",
        "/pypi/unknown/json",
        "/pypi/Unknown/json",
    ],
)
def test_what_is_not_there_is_404_in_plain_text(site: LiveSite, path: str) -> None:
    directory = site.settings.directory
    (directory / "ledger.sqlite").write_bytes(b"secret")
    (directory / "web-secret").mkdir(exist_ok=True)
    (directory / "web-secret" / "x").write_bytes(b"secret")
    (directory / "web.bak").write_bytes(b"secret")
    (site.settings.web / ".hidden").write_bytes(b"secret")
    for hidden in (
        "packages",
        "simple",
        f"simple/{PROJECT}",
        f"packages/ab/cd/{'e' * 60}",
        f"pypi/{PROJECT}",
    ):
        for name in (".tmp-1", ".identity"):
            (site.settings.web / hidden / name).write_bytes(b"secret")
    for folder in ("packages/.held", f"pypi/{PROJECT}/.tmp"):
        (site.settings.web / folder).mkdir(exist_ok=True)
        (site.settings.web / folder / "json").write_bytes(b"secret")
        (site.settings.web / folder / "x-1.0.tar.gz").write_bytes(b"secret")
    reply = site.get(path)
    assert (reply.status, reply.body) == (404, b"404 Not Found\n")
    assert reply.header("Content-Type") == "text/plain; charset=utf-8"
    assert reply.header("Cache-Control") is None


def test_the_metrics_have_the_type_that_prometheus_reads_them_by(site: LiveSite) -> None:
    (site.settings.web / "metrics").write_text("# EOF\n")
    reply = site.get("/metrics")
    assert (reply.status, reply.body) == (200, b"# EOF\n")
    assert reply.header("Content-Type") == METRICS_TYPE
    assert reply.header("Cache-Control") == "no-cache"
    (site.settings.web / "metrics").unlink()
    assert site.get("/metrics").status == 404, "before the first run"


def test_nothing_outside_the_prefix(site: LiveSite) -> None:
    bare = dataclasses.replace(
        site,
        settings=dataclasses.replace(site.settings, site=dataclasses.replace(site.settings.site, prefix="")),
    )
    assert bare.get("/").header("Location") == "/pypi/"
    assert bare.get("/simple/").status == 404
    assert bare.get("/@json/index.v1_json").status == 404
    assert bare.get("/@html/../@json/index.v1_json").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
@pytest.mark.parametrize("path", ["/simple/", PAGE, f"/{FILE}", "/", "/nowhere"])
def test_nothing_but_get_and_head(site: LiveSite, method: str, path: str) -> None:
    reply = site.get(path, method=method, Content_Length="0")
    assert reply.status == 405
    assert reply.header("Allow") == "GET, HEAD"


def test_head_is_get_without_the_body(site: LiveSite) -> None:
    for path in ("/simple/", f"/{FILE}", "/"):
        head, get = site.get(path, method="HEAD"), site.get(path)
        assert head.body == b""
        assert [pair for pair in head.headers if pair[0] != "Date"] == [
            pair for pair in get.headers if pair[0] != "Date"
        ]


def test_a_body_is_not_read(site: LiveSite) -> None:
    assert site.get("/simple/", Content_Length="1000000").status == 413


def test_the_server_does_not_tell_its_version(site: LiveSite) -> None:
    assert site.get("/simple/").header("Server") == "nginx"
    assert b"nginx/" not in site.get("/simple/Zope.Interface/").body


def test_the_front_page_and_the_files_beside_it(site: LiveSite) -> None:
    page = site.get("/")
    assert page.header("Content-Type") == HTML
    assert page.body == (site.settings.web / "index.html").read_bytes()
    assert "script-src 'sha256-" in (page.header("Content-Security-Policy") or "")
    status = site.get("/mirror.json")
    assert status.header("Content-Type") == "application/json"
    assert status.header("Cache-Control") == "no-cache"
    assert json.loads(status.body)["cursor"] == 1000
    for name in ("pip.conf", "uv.toml", "poetry.toml"):
        assert site.get(f"/{name}").header("Content-Type") == "text/plain; charset=utf-8"


def test_folders_can_be_browsed_without_their_dotfiles(site: LiveSite) -> None:
    (site.settings.web / "packages" / ".tmp-2").write_bytes(b"")
    listing = site.get("/packages/")
    assert listing.header("Content-Type") == HTML
    assert b'href="ab/"' in listing.body
    assert b".tmp-2" not in listing.body
    assert listing.header("Cache-Control") == "max-age=60, public"


def test_a_pool_on_another_disk_through_a_symbolic_link(nginx: str, tmp_path: Path) -> None:
    with serving(settings_for(tmp_path / "mirror", nginx=nginx)) as site:
        (site.settings.web / "packages").rename(tmp_path / "pool")
        (site.settings.web / "packages").symlink_to(tmp_path / "pool")
        assert site.get(f"/{FILE}").body == FILE_BYTES


@pytest.mark.parametrize("prefix", ["", "/pypi", "/a/b.c/d-e"])
@pytest.mark.parametrize("hash_index", [False, True], ids=["flat", "hash-index"])
def test_every_prefix_and_layout(nginx: str, tmp_path: Path, prefix: str, hash_index: bool) -> None:
    with serving(settings_for(tmp_path, nginx=nginx, prefix=prefix, hash_index=hash_index)) as site:
        page = site.get(PAGE, Accept=JSON)
        assert page.body == (page_directory(site.settings) / "index.v1_json").read_bytes()
        assert site.get(f"/simple/{DISPLAY_NAME}/", Accept=JSON).body == page.body
        assert site.get(f"/simple/{DISPLAY_NAME}").header("Location") == f"{prefix}{PAGE}"
        link = urljoin(f"{prefix}/simple//{DISPLAY_NAME}/", f"../../{FILE}").removeprefix(prefix)
        assert site.get(link).status == 200
        assert site.get(f"/{FILE}").status == 200
        assert site.get("/").header("Content-Type") == HTML
        below = site.get(f"/simple/{PROJECT[0]}/{PROJECT}/")
        if hash_index:
            # The page's links are relative to /simple/<name>/.
            assert below.header("Location") == f"{prefix}{PAGE}"
        else:
            assert below.status == 404


@pytest.mark.parametrize(("simple_format", "served"), [("HTML", {HTML, V1_HTML}), ("JSON", {JSON})])
def test_one_format_alone(nginx: str, tmp_path: Path, simple_format: str, served: set[str]) -> None:
    with serving(settings_for(tmp_path, nginx=nginx, simple_format=simple_format)) as site:
        replies = [
            site.get(PAGE, Accept=accept) for accept in (JSON, V1_HTML, "text/html", "*/*", "image/png")
        ]
        assert {reply.header("Content-Type") for reply in replies} == served
        varies = {"Accept"} if simple_format == "HTML" else set()
        if has_gzip_static(site):
            varies.add("Accept-Encoding")
        vary = replies[0].header("Vary")
        assert set(vary.split(", ") if vary else ()) == varies


def test_a_directory_with_every_awkward_character(nginx: str, tmp_path: Path) -> None:
    directory = tmp_path / "a b;c{d}e#f\"g'h\\i*[j]?k%20l" / "münchen"
    with serving(settings_for(directory, nginx=nginx)) as site:
        assert site.get(PAGE, Accept=JSON).status == 200
        assert site.get(f"/{FILE}").body == FILE_BYTES
        assert site.get("/").status == 200
        assert site.get("/packages/").status == 200
        assert site.get(f"/pypi/{PROJECT}/json").status == 200
        assert site.get(f"/simple/{DISPLAY_NAME}/").status == 200


def test_the_access_log_says_what_was_negotiated(nginx: str, tmp_path: Path) -> None:
    with serving(settings_for(tmp_path, nginx=nginx)) as site:
        site.get(PAGE, Accept=JSON, Accept_Encoding="gzip", User_Agent='pip "26"')
        packed = has_gzip_static(site)
    entry = json.loads(site.nginx.runtime.access_log.read_text().splitlines()[-1])
    assert entry["uri"] == f"/pypi{PAGE}"
    assert (entry["status"], entry["accept"], entry["content_type"]) == (200, JSON, JSON)
    assert entry["content_encoding"] == ("gzip" if packed else "")
    assert entry["user_agent"] == 'pip "26"'
