"""An upstream that asks for a login: it gets one, nobody else does, and who has none is told how."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pypi_mirror.errors import UpstreamError
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.settings.values import Settings, Site
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import PYPI, SERIAL_LESS, Behaviour, Fault, Redirect, Server, Status, running, small
from tests.warehouse.behaviour import Hosts

LOGIN = "reader:s3cret:x"
KINDS = {"pypi": PYPI, "serial-less": SERIAL_LESS}


@pytest.fixture(autouse=True)
def nobodys_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(path))
    return path


def authorizations(server: Server) -> set[bool]:
    """Whether the requests that came said who asks."""
    return {"authorization" in each.headers for each in server.requests.of()}


@pytest.fixture
def other() -> Iterator[Server]:
    """Another server of the same files."""
    with running(small().build()) as server:
        yield server


@pytest.mark.parametrize("behaviour", KINDS.values(), ids=KINDS)
def test_everything_is_asked_for_with_it(bench: MakeBench, behaviour: Behaviour) -> None:
    made = bench(scenario=small(), behaviour=replace(behaviour, login=LOGIN), login=LOGIN, json=True)
    assert made.sync().state is RunState.SUCCESS
    assert made.sync().state is RunState.SUCCESS
    assert made.server.requests.count("refused") == 0
    audit(made)
    compare(made)


def test_a_token(bench: MakeBench) -> None:
    made = bench(scenario=small(), behaviour=replace(SERIAL_LESS, login="__token__:pypi-Ag"), login="pypi-Ag")
    assert made.sync().state is RunState.SUCCESS


def test_from_netrc(bench: MakeBench, nobodys_netrc: Path) -> None:
    nobodys_netrc.write_text("machine 127.0.0.1 login reader password s3cret:x\n")
    made = bench(scenario=small(), behaviour=replace(SERIAL_LESS, login=LOGIN))
    assert made.sync().state is RunState.SUCCESS


@pytest.mark.parametrize("login", [None, "reader:wrong-s3cret"])
@pytest.mark.parametrize("kind", [RunKind.SYNC, RunKind.SELECTED])
def test_without_the_right_one_the_error_says_how(bench: MakeBench, login: str | None, kind: RunKind) -> None:
    made = bench(scenario=small(), behaviour=replace(PYPI, login=LOGIN), login=login)
    with pytest.raises(UpstreamError, match=r"401.*PYPI_MIRROR_LOGIN.*pypi_mirror_upstream.*netrc") as caught:
        made.sync(kind=kind, projects=("alpha",) if kind is RunKind.SELECTED else ())
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in json.dumps(made.backlog())
    assert made.server.requests.count() < 5


def test_403_says_it_too(bench: MakeBench) -> None:
    made = bench(scenario=small(), faults=(Fault(path="/simple/*", effect=Status(code=403), times=None),))
    with pytest.raises(UpstreamError, match=r"403.*PYPI_MIRROR_LOGIN"):
        made.sync()


@pytest.mark.parametrize("path", ["/simple/alpha/", "/packages/*.whl", "/packages/*.metadata"])
def test_it_does_not_follow_a_redirect_to_another_server(bench: MakeBench, other: Server, path: str) -> None:
    made = bench(scenario=small(), behaviour=replace(SERIAL_LESS, login=LOGIN), login=LOGIN)
    alpha = other.warehouse.file("alpha-1.0-py3-none-any.whl").path
    place = {"/packages/*.whl": f"/{alpha}", "/packages/*.metadata": f"/{alpha}.metadata"}.get(path, path)
    made.server.inject(Fault(path=path, effect=Redirect(to=other.url + place), times=None))
    made.allow("alpha")
    made.sync()
    assert other.requests.count() > 0
    assert authorizations(other) == {False}
    assert authorizations(made.server) == {True}


def test_files_on_another_host_are_asked_for_without_it(tmp_path: Path, other: Server) -> None:
    check_other_host(tmp_path, other, {False})


def test_netrc_may_speak_for_that_host(tmp_path: Path, other: Server, nobodys_netrc: Path) -> None:
    nobodys_netrc.write_text("machine localhost login a password b\n")
    check_other_host(tmp_path, other, {True})


def check_other_host(tmp_path: Path, other: Server, expected: set[bool]) -> None:
    hosts = Hosts(site="http://127.0.0.1:1", files=f"http://localhost:{other.port}")
    with running(small().build(), behaviour=replace(SERIAL_LESS, login=LOGIN), hosts=hosts) as server:
        made = Bench(
            server=server,
            settings=Settings(
                directory=tmp_path / "mirror",
                master=server.url,
                login=LOGIN,
                allow_non_https=True,
                site=Site(enabled=False),
            ),
        )
        made.allow("alpha")
        assert made.sync().state is RunState.SUCCESS
        assert authorizations(other) == expected
        assert authorizations(server) == {True}
