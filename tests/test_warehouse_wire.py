"""The stand-in upstream answers as the recorded upstream did: every status, header and body."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.warehouse import Behaviour, Event, Server, running
from tests.warehouse.recorded import MEASURED_HOSTS, PROVENANCE, PUBLISHED_HOSTS, RECORDED, REMOVAL

WIRE = Path(__file__).parents[1] / "../shared/wire"

pytestmark = pytest.mark.skipif(not WIRE.is_dir(), reason="the recorded answers are not here")

# What had happened before each recording beyond the common state.
BEFORE: dict[str, tuple[Event, ...]] = {
    "integrity_ok": (PROVENANCE,),
    "simple_detail_provenance_html": (PROVENANCE,),
    "simple_detail_provenance_json": (PROVENANCE,),
    "json_norelease": (REMOVAL,),
    "simple_norelease_json": (REMOVAL,),
} | dict.fromkeys(
    (
        *("file_head", "file_metadata", "file_range"),
        *("integrity_406", "integrity_none"),
        *("json_404", "json_project", "json_project_nonnorm", "json_project_slash", "json_quarantined"),
        *("json_release", "json_release_quarantined"),
        *("simple_304", "simple_404", "simple_accept_latest_json", "simple_accept_pip"),
        *("simple_accept_unknown", "simple_archived_json", "simple_detail_head", "simple_detail_html"),
        *("simple_detail_json", "simple_detail_nonnormalized", "simple_detail_noslash"),
        *("simple_detail_v1html", "simple_index_html", "simple_index_json", "simple_index_noslash"),
        *("simple_quarantined_html", "simple_quarantined_json"),
        *("xmlrpc_changelog", "xmlrpc_get", "xmlrpc_last_serial", "xmlrpc_list_packages"),
        *("xmlrpc_list_packages_with_serial", "xmlrpc_ratelimited", "xmlrpc_since"),
        *("xmlrpc_since_badtype", "xmlrpc_unknown"),
    ),
    (),
)

# The calls of the XML-RPC recordings in the order they were made; the quota counts down over them.
CALLS = (
    *("xmlrpc_last_serial", "xmlrpc_since", "xmlrpc_since_badtype"),
    *("xmlrpc_list_packages_with_serial", "xmlrpc_changelog", "xmlrpc_list_packages"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """A status, headers by lower-case name, and a body, None where the recording has none."""

    status: int
    headers: dict[str, str]
    body: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    method: str
    path: str
    headers: dict[str, str]
    data: bytes | None
    answer: Exchange


def read(name: str) -> Recording:
    """Parses a recording: curl's arguments, then the answer. Its host names become those it was made with."""
    text = (WIRE / f"{name}.txt").read_bytes().decode()
    text = text.replace(PUBLISHED_HOSTS.site, MEASURED_HOSTS.site)
    text = text.replace(PUBLISHED_HOSTS.files, MEASURED_HOSTS.files)
    request = f"curl {MEASURED_HOSTS.site}/pypi"
    if text.startswith("# request: "):
        request, _, text = text.removeprefix("# request: ").partition("\n")
    head, blank, body = text.partition("\n\n")
    status, *lines = head.splitlines()
    headers = {key.lower(): value for key, value in (line.split(": ", 1) for line in lines)}
    answer = Exchange(
        status=int(status.split()[1]),
        headers=headers,
        # A recording ends with a newline, whether the body does or not.
        body=body.encode()[: int(headers["content-length"])] if blank else None,
    )
    return recording_of(request, answer)


def recording_of(command: str, answer: Exchange) -> Recording:
    data = re.search(r" --data (.*) http", command)
    sent = re.findall(r" -H (\S+): (.*?)(?= -H | --data | http)", command)
    headers = {"Accept": "*/*", **dict(sent)}
    if wanted := re.search(r" -r (\S+)", command):
        headers["Range"] = f"bytes={wanted[1]}"
    method = "HEAD" if " -I " in command else "POST" if data else "GET"
    path = urlsplit(command.split()[-1]).path
    sent_data = data[1].encode() if data else None
    return Recording(method=method, path=path, headers=headers, data=sent_data, answer=answer)


@contextmanager
def recorded_server(*events: Event, behaviour: Behaviour = RECORDED.behaviour) -> Iterator[Server]:
    warehouse = RECORDED.build()
    warehouse.apply(*events)
    with running(warehouse, behaviour=behaviour, hosts=MEASURED_HOSTS) as server:
        yield server


def ask(server: Server, recording: Recording) -> Exchange:
    connection = HTTPConnection("127.0.0.1", server.port)
    connection.request(recording.method, recording.path, body=recording.data, headers=recording.headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    headers = {key.lower(): value for key, value in response.getheaders()}
    # The recordings leave out when they were made.
    assert headers.pop("date")
    return Exchange(status=response.status, headers=headers, body=body)


def without_time(exchange: Exchange) -> Exchange:
    """Without the seconds until the quota's window ends and the number of calls before this one."""
    headers = dict(exchange.headers)
    if "ratelimit" in headers:
        headers["ratelimit"] = re.sub(r"[rt]=\d+", "", headers["ratelimit"])
    body = exchange.body and re.sub(rb"in \d+ seconds", b"in N seconds", exchange.body)
    return Exchange(status=exchange.status, headers=headers, body=body)


def test_every_recording_is_known() -> None:
    assert {path.stem for path in WIRE.glob("*.txt")} == set(BEFORE)


@pytest.mark.parametrize("name", sorted(set(BEFORE) - {"xmlrpc_ratelimited"}))
def test_answers_as_recorded(name: str) -> None:
    recording = read(name)
    with recorded_server(*BEFORE[name]) as server:
        ours = ask(server, recording)
        assert server.requests.unexpected == ()
    expected = recording.answer
    if expected.body is None:
        ours = Exchange(status=ours.status, headers=ours.headers, body=None)
    assert without_time(ours) == without_time(expected)


def test_refuses_the_last_call_of_the_quota_as_recorded() -> None:
    recording = read("xmlrpc_ratelimited")
    call = read("xmlrpc_last_serial")
    with recorded_server(behaviour=Behaviour(quota=3)) as server:
        allowed = [ask(server, call), ask(server, call)]
        refused = ask(server, call)
    assert all(b"<int>39</int>" in (each.body or b"") for each in allowed)
    assert "r=0" in refused.headers["ratelimit"]
    assert without_time(refused) == without_time(recording.answer)


def test_counts_calls_down_as_recorded() -> None:
    recordings = [read(name) for name in CALLS]
    with recorded_server() as server:
        ours = [ask(server, recording).headers["ratelimit"] for recording in recordings]

    def remaining(header: str) -> str:
        return header.partition(";t=")[0]

    assert [remaining(each) for each in ours] == [
        remaining(recording.answer.headers["ratelimit"]) for recording in recordings
    ]


@pytest.mark.parametrize("name", ["simple_detail_html", "simple_detail_json", "json_project"])
def test_writes_the_addresses_it_is_told(name: str) -> None:
    recording = read(name)
    with running(RECORDED.build(), hosts=PUBLISHED_HOSTS) as server:
        body = ask(server, recording).body
    assert body is not None
    assert recording.answer.body is not None
    assert body.decode() in (WIRE / f"{name}.txt").read_text()
