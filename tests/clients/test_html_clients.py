"""Clients that read HTML: old pips, browsers, and everyone at a mirror that keeps no JSON."""

import json
from collections.abc import Iterator

import pytest
from pypi_simple import DistributionPackage, ProjectPage

from pypi_mirror.webserver.maps import HTML_TYPE, JSON_TYPE, V1_HTML_TYPE
from tests.clients.client import Client, installed
from tests.clients.commands import Pip, Poetry, Uv
from tests.clients.index import CLOSURE, WHEELS, YANK_REASON
from tests.clients.site import Site, serving

pytestmark = pytest.mark.servers

_FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
_CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)


@pytest.fixture(scope="module")
def html_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("html"), mirror="simple-format = HTML") as site:
        yield site


@pytest.mark.parametrize(
    "accept", ["text/html", _FIREFOX, _CHROME, "*/*"], ids=["pip 20", "firefox", "chrome", "curl"]
)
@pytest.mark.parametrize("path", ["/simple/", "/simple/cart-core/"])
def test_who_knows_no_json_gets_html(site: Site, path: str, accept: str) -> None:
    content_type, body = site.get(path, Accept=accept)

    assert content_type == HTML_TYPE
    assert body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("project", ["cart-core", "price-list", "vat-table", "win-thing"])
def test_html_says_what_json_says(site: Site, project: str) -> None:
    path = f"/simple/{project}/"
    _, html = site.get(path, Accept="text/html")
    _, as_json = site.get(path, Accept=JSON_TYPE)
    base = f"{site.index_url}{project}/"

    by_html = ProjectPage.from_html(project, html.decode(), base_url=base)
    by_json = ProjectPage.from_json_data(json.loads(as_json), base_url=base)

    assert [_told(each) for each in by_html.packages] == [_told(each) for each in by_json.packages]
    if project == "cart-core":
        assert (by_html.packages[-1].is_yanked, by_html.packages[-1].yanked_reason) == (True, YANK_REASON)
    else:
        assert bool(by_html.packages) == (project != "win-thing")


def test_pip_installs_from_html(html_site: Site, client: Client, pip: Pip) -> None:
    python = client.new_environment()
    html_site.taken()

    client.succeed(pip.at(html_site, "install", "shop", into=python))

    assert installed(client, python) == CLOSURE
    _assert_html_and_metadata(html_site)


def test_uv_installs_from_html(html_site: Site, client: Client, uv: Uv) -> None:
    python = client.new_environment()
    html_site.taken()

    client.succeed(uv.at(html_site, "pip install", "--python", python, "shop"))

    assert installed(client, python) == CLOSURE
    _assert_html_and_metadata(html_site)


def test_poetry_locks_from_html(html_site: Site, client: Client, poetry: Poetry) -> None:
    project = client.home / "project"
    project.mkdir()
    source = html_site.get("/poetry.toml")[1].decode()
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "till"\nversion = "1"\nrequires-python = ">=3.11,<4"\n{source}'
    )
    html_site.taken()

    client.succeed(poetry("add", "--lock", "shop"), cwd=project)

    _assert_html_and_metadata(html_site)


def _told(package: DistributionPackage) -> tuple[object, ...]:
    """All of a file that HTML has a place for."""
    return (
        package.filename,
        package.url,
        package.digests,
        package.requires_python,
        package.is_yanked,
        package.yanked_reason,
        # HTML cannot say that there is none.
        package.has_metadata or None,
        package.metadata_digests,
    )


def _assert_html_and_metadata(site: Site) -> None:
    log = site.taken()
    assert log.pages >= set(CLOSURE)
    assert {(page.status, page.content_type) for page in log.of("page")} <= {
        (200, V1_HTML_TYPE),
        (200, HTML_TYPE),
    }
    assert set(log.names("metadata")) >= {f"{wheel}.metadata" for wheel in WHEELS}
