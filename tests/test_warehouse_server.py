"""The server over real sockets: faults, the record of requests, the control API, and the process."""

import json
import subprocess
import sys
import threading
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse, IncompleteRead, RemoteDisconnected
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.warehouse import (
    AddRole,
    Append,
    Archive,
    BackfillMetadata,
    BackfillProvenance,
    ClearQuarantine,
    ClearReleaseQuarantine,
    Corrupt,
    Create,
    Declared,
    Delay,
    Drip,
    Drop,
    Event,
    Fault,
    Gap,
    GzipGarbage,
    HtmlError,
    Instead,
    Invite,
    Missing,
    Other,
    Quarantine,
    QuarantineRelease,
    Redeploy,
    Redirect,
    RemoveFile,
    RemoveProject,
    RemoveRelease,
    Rename,
    Sdist,
    Server,
    StalePage,
    Status,
    Truncate,
    Unarchive,
    Unyank,
    Upload,
    Warehouse,
    Wheel,
    Yank,
    running,
)
from tests.warehouse.eventlog import EventLog

WHEEL = Wheel(name="alpha", size=5_000)
ROOT = Path(__file__).parents[1]


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Warehouse(Upload(distribution=WHEEL))) as started:
        yield started


@contextmanager
def asked(
    url: str, path: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> Iterator[HTTPResponse]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        yield connection.getresponse()
    finally:
        connection.close()


def fetch(server: Server, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    with asked(server.url, path, headers=headers) as response:
        return response.status, response.read()


def file_path(server: Server) -> str:
    return "/" + server.warehouse.file(WHEEL.file_name).path


def test_a_status_with_retry_after_is_over_after_its_times(server: Server) -> None:
    server.inject(Fault(path="/simple/*", effect=Status(code=503, retry_after="7"), times=2))
    for _ in range(2):
        with asked(server.url, "/simple/alpha/") as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "7")
    assert fetch(server, "/simple/alpha/")[0] == 200


def test_a_fault_skips_and_picks_its_method_and_path(server: Server) -> None:
    server.inject(Fault(path="/simple/alpha/", method="GET", skip=1, effect=Status(code=500)))
    with asked(server.url, "/simple/alpha/", "HEAD") as response:
        assert response.status == 200
    statuses = [fetch(server, path)[0] for path in ("/simple/", *["/simple/alpha/"] * 3)]
    assert statuses == [200, 200, 500, 200]


def test_answers_are_dated_by_the_clock_that_it_follows(server: Server) -> None:
    server.follow(lambda: 784_111_777.9)
    for path in ("/simple/", "/nothing"):
        with asked(server.url, path) as response:
            assert response.headers.get_all("Date") == ["Sun, 06 Nov 1994 08:49:37 GMT"]


def test_faults_can_be_withdrawn(server: Server) -> None:
    server.inject(Fault(path="*", effect=Status(code=500), times=None))
    assert fetch(server, "/simple/")[0] == 500
    server.faults.clear()
    assert fetch(server, "/simple/")[0] == 200


def test_a_connection_dropped_before_the_answer(server: Server) -> None:
    server.inject(Fault(path="/simple/*", effect=Drop()))
    with pytest.raises(RemoteDisconnected):
        fetch(server, "/simple/alpha/")
    (recorded,) = server.requests.of("page")
    assert (recorded.status, recorded.size) == (0, 0)


def test_a_connection_dropped_inside_the_body(server: Server) -> None:
    server.inject(Fault(path="/packages/*", effect=Drop(after=1_000)))
    with pytest.raises(IncompleteRead) as caught:
        fetch(server, file_path(server))
    assert caught.value.partial == WHEEL.content()[:1_000]
    assert server.requests.of("file")[0].size == 1_000


def test_the_rest_can_be_had_by_a_range_afterwards(server: Server) -> None:
    status, rest = fetch(server, file_path(server), {"Range": "bytes=1000-"})
    assert (status, rest) == (206, WHEEL.content()[1_000:])


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (Truncate(keep=100), WHEEL.content()[:100]),
        (Append(size=3), WHEEL.content() + b"\0\0\0"),
        (Corrupt(), WHEEL.content()[:-1] + bytes([WHEEL.content()[-1] ^ 0xFF])),
        (Drip(chunk=2_000, seconds=0.001), WHEEL.content()),
        (Delay(seconds=0.001), WHEEL.content()),
    ],
)
def test_a_complete_answer_with_other_bytes_or_at_another_pace(
    server: Server, effect: Truncate | Append | Corrupt | Drip | Delay, expected: bytes
) -> None:
    server.inject(Fault(path="/packages/*", effect=effect))
    assert fetch(server, file_path(server)) == (200, expected)


def test_a_body_that_is_said_to_be_gzip_and_is_none(server: Server) -> None:
    server.inject(Fault(path="/simple/*", effect=GzipGarbage()))
    with asked(server.url, "/simple/alpha/") as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        with pytest.raises(zlib.error):
            zlib.decompress(answer.read(), wbits=31)


def test_a_reset_says_so_to_the_client(server: Server) -> None:
    server.inject(Fault(path="/simple/*", effect=Drop(reset=True)))
    with pytest.raises(ConnectionResetError), asked(server.url, "/simple/alpha/"):
        pass


def test_a_fault_can_meet_a_share_of_the_requests(server: Server) -> None:
    server.inject(Fault(path="*", effect=Status(code=500), times=None, share=0.3))
    failed = sum(fetch(server, "/simple/")[0] == 500 for _ in range(200))
    assert 30 < failed < 90
    assert server.faults.requests == failed == server.faults.effects["status"]


def test_a_delay_is_waited_for(server: Server) -> None:
    server.inject(Fault(path="/simple/alpha/", effect=Delay(seconds=30)))
    answered = threading.Event()

    def ask() -> None:
        # The end of the server cuts the connection that waits.
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            fetch(server, "/simple/alpha/")
        answered.set()

    waiting = threading.Thread(target=ask)
    waiting.start()
    while not server.requests.count("page"):
        time.sleep(0.001)
    assert fetch(server, "/simple/")[0] == 200
    assert not answered.is_set()
    server.stop()
    waiting.join()
    assert answered.is_set()


def test_a_stale_page_is_what_the_cache_had(server: Server) -> None:
    server.apply(Yank(project="alpha", version="1.0"))
    server.inject(Fault(path="/simple/alpha/", effect=StalePage(), times=2))
    serials = []
    for _ in range(3):
        with asked(server.url, "/simple/alpha/") as response:
            serials.append((response.headers["X-PyPI-Last-Serial"], b"data-yanked" in response.read()))
    assert serials == [("4", False), ("4", False), ("5", True)]


def test_a_removed_projects_page_can_linger_at_the_edge(server: Server) -> None:
    server.apply(RemoveProject(project="alpha"))
    server.inject(Fault(path="/simple/alpha/", effect=StalePage()))
    assert [fetch(server, "/simple/alpha/")[0] for _ in range(2)] == [200, 404]


def test_a_stale_root_index_is_the_one_served_before(server: Server) -> None:
    before = fetch(server, "/simple/")
    server.apply(Create(project="beta"))
    after = fetch(server, "/simple/")
    server.inject(Fault(path="/simple/", effect=StalePage()))
    assert after != before
    assert fetch(server, "/simple/") == before
    assert fetch(server, "/simple/") == after


@pytest.mark.parametrize("path", ["/simple/alpha/", "{file}.metadata", "/pypi/alpha/json"])
def test_what_is_missing_gets_upstreams_own_404(server: Server, path: str) -> None:
    path = path.format(file=file_path(server))
    unknown = path.replace("alpha", "unknown")
    server.inject(Fault(path=path, effect=Missing()))
    assert fetch(server, path) == fetch(server, unknown)
    assert fetch(server, path)[0] == 200


def test_somebodys_html_page_a_broken_document_and_a_redirect(server: Server) -> None:
    server.inject(
        Fault(path="/simple/alpha/", effect=HtmlError()),
        Fault(path="/simple/alpha/", effect=Instead(body="{"), skip=1),
        Fault(path="/simple/alpha/", effect=Redirect(to="http://127.0.0.1:9/"), skip=2),
    )
    assert b"<h1>We are having trouble</h1>" in fetch(server, "/simple/alpha/")[1]
    assert fetch(server, "/simple/alpha/") == (200, b"{")
    with asked(server.url, "/simple/alpha/") as response:
        assert (response.status, response.headers["Location"]) == (302, "http://127.0.0.1:9/")


def test_requests_are_recorded_by_kind(server: Server) -> None:
    path = file_path(server)
    fetch(server, "/simple/", {"Accept": "text/html", "User-Agent": "a test", "X-Other": "not kept"})
    for each in ("/simple/alpha/", path, f"{path}.metadata", "/pypi/alpha/json", "/simple/alpha", "/nowhere"):
        fetch(server, each)
    with asked(server.url, path, "HEAD") as response:
        assert response.headers["Content-Length"] == str(len(WHEEL.content()))
    log = server.requests
    assert log.counts == {
        "index": 1, "page": 1, "file": 2, "metadata": 1, "json": 1, "redirect": 1, "unexpected": 1
    }  # fmt: skip
    assert log.count() == 8
    assert [each.path for each in log.unexpected] == ["/nowhere"]
    assert [each.size for each in log.of("file")] == [len(WHEEL.content()), 0]
    assert log.of("index")[0].headers == {
        "accept-encoding": "identity", "accept": "text/html", "user-agent": "a test"
    }  # fmt: skip
    log.reset()
    assert (log.count(), log.counts, log.bytes_sent) == (0, {}, 0)


def test_a_server_stops_cleanly_with_open_connections_and_frees_its_port() -> None:
    threads = threading.active_count()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with running(Warehouse()) as server:
            idle = HTTPConnection("127.0.0.1", server.port)
            idle.request("GET", "/simple/")
            idle.getresponse().read()
        assert threading.active_count() == threads
        with running(Warehouse(), port=server.port) as again:
            assert again.url == server.url
            assert fetch(again, "/simple/")[0] == 200
        idle.close()


def control(url: str, method: str, name: str, **fields: object) -> tuple[int, dict[str, object]]:
    body = json.dumps(fields).encode() if fields else None
    with asked(url, f"/_control/{name}", method, body) as response:
        return response.status, json.loads(response.read())


def test_events_and_faults_come_over_the_control_api_and_are_not_recorded(server: Server) -> None:
    upload = {"kind": "wheel", "name": "beta", "version": "2.0", "size": 10}
    assert control(server.url, "POST", "upload", distribution=upload) == (200, {"serial": 8})
    assert control(server.url, "POST", "yank", project="beta", version="2.0") == (200, {"serial": 9})
    fault = {"path": "/simple/", "effect": {"effect": "status", "code": 502}}
    assert control(server.url, "POST", "fault", **fault) == (200, {})
    assert fetch(server, "/simple/")[0] == 502
    assert server.warehouse.project("beta").release("2.0").yanked
    status, seen = control(server.url, "GET", "requests")
    assert (status, seen["counts"]) == (200, {"index": 1})
    control(server.url, "DELETE", "requests")
    assert server.requests.count() == 0
    control(server.url, "POST", "fault", **fault)
    control(server.url, "DELETE", "faults")
    assert fetch(server, "/simple/")[0] == 200


@pytest.mark.parametrize(
    ("method", "name", "fields", "reason"),
    [
        ("POST", "yank", {"project": "ghost", "version": "1"}, "there is no project ghost"),
        ("POST", "yank", {"project": "alpha"}, "missing required field `version`"),
        ("POST", "yank", {"project": "alpha", "version": "1.0", "why": "x"}, "unknown field `why`"),
        ("POST", "explode", {}, "explode"),
        ("PUT", "requests", {}, "there is no PUT /_control/requests"),
    ],
)
def test_a_wrong_control_call_is_400_with_the_reason(
    server: Server, method: str, name: str, fields: dict[str, object], reason: str
) -> None:
    status, answer = control(server.url, method, name, **fields)
    assert status == 400
    assert reason in str(answer["error"])


EVERY_EVENT: tuple[Event, ...] = (
    Create(project="empty"),
    Upload(distribution=WHEEL),
    Upload(distribution=Sdist(name="alpha"), core_metadata=False),
    Upload(distribution=Declared(name="x", version="1", filename="x-1.tar.gz", data=b"\0\xff")),
    Yank(project="alpha", version="1.0", reason="bad"),
    Unyank(project="alpha", version="1.0"),
    Quarantine(project="alpha"),
    ClearQuarantine(project="alpha"),
    QuarantineRelease(project="alpha", version="1.0"),
    ClearReleaseQuarantine(project="alpha", version="1.0"),
    Archive(project="alpha"),
    Unarchive(project="alpha"),
    Rename(project="alpha", name="Alpha"),
    AddRole(project="alpha", user="bob"),
    Invite(project="alpha", user="eve", purge=True),
    Other(project="ghost", action="vanish"),
    Gap(size=5),
    Redeploy(distribution=WHEEL),
    BackfillProvenance(project="alpha", filename=WHEEL.file_name),
    BackfillMetadata(project="alpha", filename=WHEEL.file_name),
    RemoveFile(project="alpha", filename="alpha-1.0.tar.gz"),
    RemoveRelease(project="x", version="1"),
    RemoveProject(project="empty"),
)


def test_a_log_of_every_kind_of_event_gives_the_same_index_again(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    first = Warehouse()
    log.resume(first)
    for event in EVERY_EVENT:
        first.apply(event)
    second = Warehouse()
    log.resume(second)
    assert {type(event) for event in EVERY_EVENT} == set(Event.__subclasses__())
    assert log.read() == list(EVERY_EVENT)
    assert second.journal == first.journal
    assert second.projects == first.projects


def test_a_log_drops_a_line_that_a_crash_cut_short(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    log.append(Create(project="alpha"))
    with log.path.open("ab") as stream:
        stream.write(b'{"event":"cre')
    assert log.read() == [Create(project="alpha")]
    log.append(Create(project="beta"))
    assert log.read() == [Create(project="alpha"), Create(project="beta")]


@contextmanager
def process(*arguments: str) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.warehouse", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            yield started.stdout.readline().strip()
        finally:
            started.terminate()
        assert started.wait(10) == 0


@pytest.mark.servers
def test_a_process_over_a_folder_is_the_same_after_a_restart(tmp_path: Path) -> None:
    folder, state, port = tmp_path / "folder", tmp_path / "events", tmp_path / "port"
    folder.mkdir()

    def put(wheel: Wheel) -> None:
        (folder / wheel.file_name).write_bytes(wheel.content())

    def page(url: str) -> tuple[str, str | None, bytes]:
        with asked(url, "/simple/zeta/") as response:
            return url, response.headers["ETag"], response.read()

    put(Wheel(name="zeta"))
    arguments = ("--folder", str(folder), "--state", str(state), "--port-file", str(port))
    with process(*arguments) as url:
        assert control(url, "POST", "yank", project="zeta", version="1.0") == (200, {"serial": 5})
        before = page(url)
    assert url == f"http://127.0.0.1:{port.read_text().strip()}"
    # It would come first by name, but the others keep their serials and times.
    put(Wheel(name="alpha"))
    with process(*arguments) as url:
        assert page(url) == before
        with asked(url, "/simple/alpha/") as response:
            assert response.headers["X-PyPI-Last-Serial"] == "9"


@pytest.mark.servers
def test_a_process_can_be_many_projects_of_another_kind_and_slow() -> None:
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    with (
        process("--many", "3x2x100", "--kind", "html-only", "--latency", "1") as url,
        asked(url, "/simple/", headers=accept) as response,
    ):
        assert response.headers["Content-Type"] == "text/html; charset=UTF-8"
        assert response.read().count(b"<a href") == 3


@pytest.mark.servers
def test_a_process_that_cannot_start_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.warehouse", "--folder", str(tmp_path / "none")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "No such file or directory" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.servers
def test_pip_installs_a_generated_wheel_with_its_dependency(tmp_path: Path) -> None:
    warehouse = Warehouse(
        Upload(distribution=Wheel(name="Alpha.Pkg", requires_dist=("beta-pkg>=1",))),
        Upload(distribution=Wheel(name="beta-pkg", size=1_000)),
    )
    with running(warehouse) as server:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--isolated", "install", "--quiet", "--no-cache-dir"),
                *("--disable-pip-version-check", "--index-url", f"{server.url}/simple/"),
                *("--target", str(tmp_path), "alpha-pkg"),
            ],
            check=True,
        )
        assert server.requests.counts == {"page": 2, "metadata": 2, "file": 2}
    assert {"alpha_pkg", "beta_pkg"} < {path.name for path in tmp_path.iterdir()}
