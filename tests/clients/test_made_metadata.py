"""pip and uv resolve through a mirror of an index without PEP 658 as through one of an index that has it."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clients.client import Client
from tests.clients.commands import Pip, Uv
from tests.clients.index import CLOSURE, WHEELS
from tests.clients.site import Site, serving
from tests.warehouse import HTML_ONLY, STATIC, Behaviour

KINDS = {
    "json": replace(STATIC, core_metadata=False),
    "html at a base of its own": replace(HTML_ONLY, base="/whl/cu1/"),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def bare_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    behaviour: Behaviour = request.param
    directory = tmp_path / "site"
    directory.mkdir()
    with serving(directory, behaviour=behaviour) as site:
        assert site.upstream.requests.count("metadata") == 0
        yield site


def test_uv_resolves_by_metadata_alone(bare_site: Site, client: Client, uv: Uv) -> None:
    (client.home / "requirements.in").write_text("shop\n")
    client.succeed(
        uv.at(
            bare_site, "pip compile", "--quiet", "--python", sys.executable, "--no-header", "requirements.in"
        )
    )
    log = bare_site.taken()
    assert log.counts == {("page", 200): len(CLOSURE), ("metadata", 200): len(WHEELS), ("sdist", 200): 1}


def test_pip_does_not_download_what_it_does_not_install(bare_site: Site, client: Client) -> None:
    pip = Pip(python=Path(sys.executable))
    client.succeed(pip.at(bare_site, "install", "--dry-run", "--ignore-installed", "cart-core"))
    log = bare_site.taken()
    assert "cart_core-1.5-py3-none-any.whl.metadata" in log.names("metadata")
    assert "cart_core-2.0-py3-none-any.whl" not in log.names("wheel")
