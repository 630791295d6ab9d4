"""Every kind of upstream, in full and incrementally: static, without serials, HTML only, another mirror."""

import functools
import http.server
import ssl
import threading
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pypi_mirror.errors import UpstreamError
from pypi_mirror.model import RunState
from tests.certificates import certificate
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    HTML_ONLY,
    SERIAL_LESS,
    STATIC,
    Behaviour,
    Fault,
    Gap,
    Instead,
    Other,
    Quarantine,
    RemoveProject,
    StalePage,
    Status,
    Upload,
    Warehouse,
    Wheel,
    Yank,
    running,
    small,
)

KINDS = {"static": STATIC, "serial-less": SERIAL_LESS, "html-only": HTML_ONLY}


@pytest.mark.parametrize("behaviour", KINDS.values(), ids=KINDS)
def test_full_then_incremental_without_a_changelog(bench: MakeBench, behaviour: Behaviour) -> None:
    made = bench(scenario=small(), behaviour=behaviour)
    first = made.sync()
    assert (first.state, first.source) == (RunState.SUCCESS, "index")
    assert made.server.requests.count("xmlrpc") == 0
    assert (made.cursor is None) == (behaviour is not STATIC)
    audit(made)
    compare(made)
    made.server.requests.reset()
    made.server.apply(
        Upload(distribution=Wheel(name="alpha", version="2.0")),
        Yank(project="Beta.Lib", version="1.0", reason="no"),
        RemoveProject(project="old"),
        Upload(distribution=Wheel(name="newcomer")),
    )
    second = made.sync()
    assert second.state is RunState.SUCCESS
    assert made.downloads() == ["alpha-2.0-py3-none-any.whl", "newcomer-1.0-py3-none-any.whl"]
    assert not made.page_directory("old").exists()
    audit(made)
    compare(made)


def test_a_static_upstream_that_has_not_changed_costs_two_requests(bench: MakeBench) -> None:
    made = bench(scenario=small(), behaviour=STATIC)
    made.sync()
    made.server.requests.reset()
    result = made.sync()
    assert (result.planned, result.cursor) == (0, made.server.warehouse.serial)
    assert [each.status for each in made.server.requests.of("index")] == [304]
    assert made.server.requests.count() <= 2
    audit(made)


@pytest.mark.parametrize("behaviour", [SERIAL_LESS, HTML_ONLY], ids=["serial-less", "html-only"])
def test_without_serials_every_page_is_asked_for_by_its_etag(bench: MakeBench, behaviour: Behaviour) -> None:
    made = bench(scenario=small(), behaviour=behaviour)
    made.sync()
    before = {path: path.stat().st_ino for path in (made.web / "simple").rglob("*")}
    made.server.requests.reset()
    result = made.sync()
    assert result.state is RunState.SUCCESS
    assert {each.status for each in made.server.requests.of("page")} == {304}
    assert made.downloads() == []
    assert before == {path: path.stat().st_ino for path in (made.web / "simple").rglob("*")}
    audit(made)


def test_a_cursor_too_far_behind_falls_back_to_the_root_index(bench: MakeBench) -> None:
    made = bench(scenario=small(), behaviour=Behaviour(changelog_page=3))
    made.sync()
    made.server.apply(*(Other(project="alpha", action="gave it a hug") for _ in range(80)))
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="5.0")))
    made.server.requests.reset()
    result = made.sync()
    assert (result.state, result.source) == (RunState.SUCCESS, "index")
    assert made.server.requests.count("xmlrpc") <= 20
    assert result.cursor == made.server.warehouse.serial
    audit(made)
    compare(made)


@pytest.mark.parametrize("code", [301, 401, 403, 404, 410, 429, 500, 503])
def test_a_changelog_that_is_gone_or_busy_falls_back_to_the_root_index(bench: MakeBench, code: int) -> None:
    made = bench(scenario=small())
    made.sync()
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="5.0")))
    made.server.inject(Fault(path="/pypi", effect=Status(code=code), times=None))
    result = made.sync()
    assert (result.state, result.source) == (RunState.SUCCESS, "index")
    assert result.cursor == made.server.warehouse.serial
    audit(made)
    compare(made)


_FAULT = xmlrpc.client.dumps(xmlrpc.client.Fault(-32500, "RuntimeError: see the blog"))
_NO_LIST = xmlrpc.client.dumps(("no events today",), methodresponse=True)


@pytest.mark.parametrize("answer", [_NO_LIST, _FAULT, "<!DOCTYPE html><p>Welcome</p>", ""])
def test_an_unreadable_changelog_falls_back_to_the_root_index(bench: MakeBench, answer: str) -> None:
    """Earlier methods of the changelog ended so, without any notice."""
    made = bench(scenario=small())
    made.sync()
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="5.0")))
    said = Instead(body=answer, content_type="text/xml")
    made.server.inject(Fault(path="/pypi", effect=said, times=None))
    result = made.sync()
    assert (result.state, result.source) == (RunState.SUCCESS, "index")
    assert result.cursor == made.server.warehouse.serial
    audit(made)
    compare(made)


def test_a_rate_limit_that_resets_in_an_hour_is_not_waited_for(bench: MakeBench) -> None:
    made = bench(scenario=small(), behaviour=Behaviour(quota=1, window=3600))
    made.sync()
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="5.0")))
    made.server.requests.reset()
    result = made.sync()
    assert (result.state, result.source) == (RunState.SUCCESS, "index")
    assert made.server.requests.count("xmlrpc") == 1
    assert result.cursor == made.server.warehouse.serial
    compare(made)


def test_a_mirror_that_paused_longer_than_events_are_kept_misses_nothing(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="5.0")))
    assert made.server.warehouse.now.timestamp() < made.clock.now - 91 * 24 * 3600
    result = made.sync()
    assert (result.source, result.planned) == ("changelog", 1)
    audit(made)
    compare(made)


def test_a_changelog_that_comes_in_pages(bench: MakeBench) -> None:
    made = bench(scenario=small(), behaviour=Behaviour(changelog_page=2))
    made.sync()
    made.server.apply(*(Upload(distribution=Wheel(name=f"new-{n}")) for n in range(5)))
    result = made.sync()
    assert (result.source, result.planned) == ("changelog", 5)
    audit(made)
    compare(made)


@pytest.mark.parametrize("behaviour", [Behaviour(), STATIC], ids=["changelog", "root index"])
def test_an_upstream_whose_serial_went_backwards_is_refused(
    tmp_path: Path, bench: MakeBench, behaviour: Behaviour
) -> None:
    made = bench(behaviour=behaviour)
    grown = small().build()
    grown.apply(Gap(size=1000), Upload(distribution=Wheel(name="alpha", version="5.0")))
    with running(grown, behaviour=behaviour) as first:
        made.change(master=first.url)
        made.sync()
    before = made.cursor
    with (
        running(small().build(), behaviour=behaviour, port=first.port),
        pytest.raises(UpstreamError, match=r"is (of|at) serial \d+, the mirror is at \d+ already"),
    ):
        made.sync()
    assert made.cursor == before
    assert "alpha-5.0-py3-none-any.whl" in made.listed("alpha")


def test_an_old_copy_of_the_root_index_is_refused(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    made.server.apply(Upload(distribution=Wheel(name="newcomer")))
    made.sync()
    made.server.inject(Fault(path="/simple/", effect=StalePage(), times=None))
    with pytest.raises(UpstreamError, match="an old copy"):
        made.sync(recheck=True)
    audit(made)


def test_an_empty_root_index_is_not_an_order_to_remove_everything(bench: MakeBench) -> None:
    made = bench(scenario=small(), behaviour=SERIAL_LESS)
    made.sync()
    empty = '{"meta":{"api-version":"1.1"},"projects":[]}'
    made.server.inject(Fault(path="/simple/", effect=Instead(body=empty)))
    with pytest.raises(UpstreamError, match="root index is empty"):
        made.sync()
    audit(made)
    assert made.listed("alpha")


class Files(http.server.SimpleHTTPRequestHandler):
    """What any web server does with our tree: static files, an index for a directory."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            json = path / "index.v1_json"
            is_wanted = "v1+json" in self.headers.get("Accept", "") and json.is_file()
            path = json if is_wanted else path / "index.html"
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        etag = f'"{path.stat().st_mtime_ns:x}-{len(content):x}"'
        same = self.headers.get("If-None-Match") == etag
        self.send_response(304 if same else 200)
        self.send_header("ETag", etag)
        if path.name == "index.v1_json":
            self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        elif path.suffix == ".html":
            self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0" if same else str(len(content)))
        self.end_headers()
        if not same:
            self.wfile.write(content)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_error(405)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(root: Path, *, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """``root`` at an address, over TLS where there is a certificate and its key."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=str(root)))
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        # The handshake is for the connection's own thread: done here, one that fails would end the server.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def tree(made: Bench) -> dict[str, bytes]:
    return {
        path.relative_to(made.web).as_posix(): path.read_bytes()
        for place in ("simple", "packages")
        for path in sorted((made.web / place).rglob("*"))
        # Each mirror has an identity of its own.
        if path.is_file() and path.name != ".identity"
    }


def test_a_mirror_of_our_mirror_is_the_same_mirror(bench: MakeBench, tmp_path: Path) -> None:
    first = bench(scenario=small())
    first.sync()
    with served(first.web) as url:
        second = Bench(
            server=first.server,
            settings=replace(first.settings, directory=tmp_path / "second", master=url),
        )
        assert second.sync().state is RunState.SUCCESS
        assert tree(second) == tree(first)
        audit(second)
        assert second.cursor == first.cursor
        first.server.apply(
            Upload(distribution=Wheel(name="alpha", version="2.0")),
            RemoveProject(project="old"),
            Quarantine(project="compiled"),
            Yank(project="Beta.Lib", version="1.0", reason="no"),
        )
        first.sync()
        assert second.sync().state is RunState.SUCCESS
        assert {k: v for k, v in tree(second).items() if k.startswith("simple")} == {
            k: v for k, v in tree(first).items() if k.startswith("simple")
        }
        audit(second)
        # The next run finds nothing to do and asks for nothing but the index.
        assert second.sync().planned == 0


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_an_index_whose_certificate_is_of_a_private_authority(
    bench: MakeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for each in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(each, raising=False)
    first = bench(scenario=small())
    first.sync()
    public, private = certificate(tmp_path)
    with served(first.web, certificate=(public, private)) as url:
        second = Bench(
            server=first.server,
            settings=replace(first.settings, directory=tmp_path / "second", master=url),
        )
        with pytest.raises(UpstreamError, match="certificate"):
            second.sync()
        monkeypatch.setenv(variable, str(public))
        assert second.sync().state is RunState.SUCCESS
        assert second.listed("alpha")


def test_a_bandersnatch_tree_is_taken_over_without_a_download(bench: MakeBench, tmp_path: Path) -> None:
    made = bench(scenario=small())
    upstream: Warehouse = made.server.warehouse
    (evil,) = (file for file in upstream.files.values() if file.filename.startswith("evil-1.0"))
    for path, file in upstream.files.items():
        # Neither what is filtered nor what upstream does not show is in such a tree.
        if file is evil or file.filename.endswith(
            ("win_amd64.whl", "arm64.whl", "evil_twin-2.0-py3-none-any.whl")
        ):
            continue
        target = made.web / path
        target.parent.mkdir(parents=True)
        content = file.distribution.content()
        assert isinstance(content, bytes)
        target.write_bytes(content)
    for name in upstream.projects.keys() - {"evil"}:
        page = made.web / "simple" / name
        page.mkdir(parents=True)
        for form in ("index.html", "index.v1_html", "index.v1_json"):
            (page / form).write_text("what bandersnatch wrote")
        (made.web / "json").mkdir(exist_ok=True)
        (made.web / "json" / name).write_text("{}")
        (made.web / "pypi" / name).mkdir(parents=True)
        (made.web / "pypi" / name / "json").symlink_to(f"../../json/{name}")
    (made.web / "simple/index.html").write_text("what bandersnatch wrote")
    (made.settings.directory / "status").write_text("1")
    result = made.sync()
    assert result.state is RunState.SUCCESS
    assert made.downloads() == []
    assert result.tally.files_downloaded == 0
    assert not list((made.web / "json").iterdir()), "legacy JSON that nothing keeps current"
    audit(made)
    compare(made)
