"""What clients see after something happened upstream and the mirror was synced, caches and all."""

import pytest

from tests.clients.client import Client
from tests.clients.commands import Pip, Uv
from tests.clients.index import YANK_REASON
from tests.clients.site import Site
from tests.warehouse import ClearQuarantine, Quarantine, RemoveProject, Unyank, Upload, Wheel, Yank

pytestmark = pytest.mark.servers


def test_a_removed_project_is_gone_from_a_warm_cache_too(
    own_site: Site, client: Client, newest_pip: Pip, uv: Uv
) -> None:
    python = client.new_environment()
    by_pip = newest_pip.at(own_site, "install", "--dry-run", "old", into=python)
    by_uv = uv.at(own_site, "pip install", "--dry-run", "--python", python, "old")
    client.succeed(by_pip)
    client.succeed(by_uv)

    own_site.let(RemoveProject(project="old"))

    assert "No matching distribution found for old" in client.fail(by_pip)
    assert "old was not found in the package registry" in client.fail(by_uv)
    assert own_site.taken().counts == {("page", 404): 2}


def test_a_quarantined_project_offers_nothing_until_it_is_cleared(
    own_site: Site, client: Client, newest_pip: Pip, uv: Uv
) -> None:
    python = client.new_environment()
    by_pip = newest_pip.at(own_site, "install", "--dry-run", "evil", into=python)
    by_uv = uv.at(own_site, "pip install", "--dry-run", "--python", python, "evil")
    client.succeed(by_pip)
    client.succeed(by_uv)

    own_site.let(Quarantine(project="evil"))

    assert "No matching distribution found for evil" in client.fail(by_pip)
    assert "evil" in client.fail(by_uv)
    assert own_site.taken().counts == {("page", 200): 2}

    own_site.let(ClearQuarantine(project="evil"))

    assert "Would install evil-1.0" in client.succeed(by_pip).said
    client.succeed(by_uv)


def test_uploads_and_yanks_reach_a_client_with_a_warm_cache(
    own_site: Site, client: Client, newest_pip: Pip
) -> None:
    versions = newest_pip.at(own_site, "index versions", "cart-core")
    assert "Available versions: 1.5, 1.0\n" in client.succeed(versions).out

    own_site.let(
        Upload(distribution=Wheel(name="cart-core", version="2.1")),
        Unyank(project="cart-core", version="2.0"),
        Yank(project="cart-core", version="1.0", reason=YANK_REASON),
    )

    assert "Available versions: 2.1, 2.0, 1.5\n" in client.succeed(versions).out
