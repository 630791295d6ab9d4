"""The root index: what is in it, what it costs when nothing changed, and what is not believed."""

from collections.abc import Iterator

import pytest

from pypi_mirror.errors import UpstreamError, UpstreamMalformed
from pypi_mirror.transport.patience import Patience
from pypi_mirror.upstream.control import Control
from pypi_mirror.upstream.root_index import fetch_root_index
from tests.upstream.raw_server import answer, saying
from tests.warehouse import (
    HTML_ONLY,
    PYPI,
    SERIAL_LESS,
    Behaviour,
    Fault,
    Gap,
    HtmlError,
    Instead,
    Quarantine,
    Redirect,
    Status,
    Upload,
    Warehouse,
    Wheel,
    running,
)


@pytest.fixture
def control() -> Iterator[Control]:
    made = Control(
        timeout=5, global_timeout=60, proxy=None, patience=Patience(attempts=2), pause=lambda _: None
    )
    yield made
    made.close()


@pytest.fixture
def warehouse() -> Warehouse:
    return Warehouse(
        Upload(distribution=Wheel(name="Foo.Bar")),
        Upload(distribution=Wheel(name="evil")),
        Gap(size=5),
        Upload(distribution=Wheel(name="alpha")),
        Quarantine(project="evil"),
    )


@pytest.mark.parametrize(("behaviour", "serials"), [(PYPI, True), (SERIAL_LESS, False), (HTML_ONLY, False)])
def test_projects_of_every_kind_of_upstream(
    behaviour: Behaviour, serials: bool, control: Control, warehouse: Warehouse
) -> None:
    with running(warehouse, behaviour=behaviour) as server:
        index = fetch_root_index(server.url, control, etag=None)

    assert index is not None
    entries = list(index.entries())
    assert {(each.name, each.project) for each in entries} == {("Foo.Bar", "foo-bar"), ("alpha", "alpha")}
    assert index.serial == (warehouse.serial if serials else None)
    assert all((each.serial == warehouse.project(each.name).serial) is serials for each in entries)


def test_one_that_has_not_changed_is_not_sent_again(control: Control, warehouse: Warehouse) -> None:
    with running(warehouse) as server:
        index = fetch_root_index(server.url, control, etag=None)
        assert index is not None
        assert fetch_root_index(server.url, control, etag=index.etag) is None
        server.apply(Upload(distribution=Wheel(name="new")))
        assert fetch_root_index(server.url, control, etag=index.etag) is not None


def test_a_redirect_is_followed(control: Control, warehouse: Warehouse) -> None:
    with running(warehouse) as real:
        faults = (Fault(path="/simple/", effect=Redirect(to=f"{real.url}/simple/")),)
        with running(Warehouse(), faults=faults) as server:
            index = fetch_root_index(server.url, control, etag=None)

    assert index is not None
    assert index.url == f"{real.url}/simple/"


@pytest.mark.parametrize("behaviour", [PYPI, SERIAL_LESS, HTML_ONLY])
def test_an_empty_one_is_no_order_to_remove_everything(behaviour: Behaviour, control: Control) -> None:
    with (
        running(Warehouse(), behaviour=behaviour) as server,
        pytest.raises(UpstreamMalformed, match="root index is empty"),
    ):
        fetch_root_index(server.url, control, etag=None)


@pytest.mark.parametrize(
    "effect",
    [
        HtmlError(),
        Instead(body='<html><a href="/">Home</a><a href="/help/">Help</a></html>', content_type="text/html"),
        Instead(body='{"meta": {"api-version": "1.0"}, "projects": [{"name": ".."}]}'),
        Instead(body="{}"),
        Instead(body='{"meta": {"api-version": "2.0"}, "projects": [{"name": "a"}]}'),
        Instead(body="alpha", content_type="text/plain"),
    ],
)
def test_what_is_none_is_not_believed(
    effect: HtmlError | Instead, control: Control, warehouse: Warehouse
) -> None:
    faults = (Fault(path="/simple/", effect=effect),)
    with running(warehouse, faults=faults) as server, pytest.raises(UpstreamMalformed):
        fetch_root_index(server.url, control, etag=None)


@pytest.mark.parametrize("code", [403, 404])
def test_there_is_none(code: int, control: Control) -> None:
    faults = (Fault(path="/simple/", effect=Status(code=code)),)
    with running(Warehouse(), faults=faults) as server, pytest.raises(UpstreamError, match=str(code)):
        fetch_root_index(server.url, control, etag=None)


def test_not_modified_without_a_condition_is_an_error(control: Control) -> None:
    with saying(lambda _: answer(304)) as server, pytest.raises(UpstreamError, match="304"):
        fetch_root_index(server.url, control, etag=None)


def test_an_etag_that_cannot_be_sent_back_is_none(control: Control) -> None:
    body = b'{"meta": {"api-version": "1.0"}, "projects": [{"name": "a"}]}'
    headers = ("Content-Type: application/vnd.pypi.simple.v1+json", 'ETag: "\xe9"')
    with saying(lambda _: answer(200, body, *headers)) as server:
        index = fetch_root_index(server.url, control, etag=None)

    assert index is not None
    assert index.etag is None
