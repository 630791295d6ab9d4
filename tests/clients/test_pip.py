"""pip over the mirror, the bundled and the newest one: what it installs, and what it asks nginx for."""

import hashlib
from pathlib import Path

import pytest

from tests.clients.client import Client, installed
from tests.clients.commands import Pip
from tests.clients.index import BETWEEN_UPLOADS, BUILD_WHEEL, CLOSURE, SDIST, WHEELS, WHEELS_ONLY, YANK_REASON
from tests.clients.site import ANY_NGINX, Site, serving

pytestmark = pytest.mark.servers


def test_install_takes_json_pages_metadata_and_each_file_once(site: Site, client: Client, pip: Pip) -> None:
    python = client.new_environment()

    client.succeed(pip.at(site, "install", "shop", into=python))

    assert installed(client, python) == CLOSURE
    log = site.taken()
    log.assert_json_pages({*CLOSURE, "build-base"})
    assert log.names("metadata") == sorted(f"{wheel}.metadata" for wheel in (*WHEELS, BUILD_WHEEL))
    assert log.names("wheel") == sorted((*WHEELS, BUILD_WHEEL))
    assert log.names("sdist") == [SDIST]
    assert log.of("other") == ()


def test_a_release_that_does_not_fit_costs_its_metadata_alone(site: Site, client: Client, pip: Pip) -> None:
    python = client.new_environment()

    client.succeed(pip.at(site, "install", "picky", into=python))

    assert installed(client, python) == {"picky": "1.0", "price-list": "1.1"}
    log = site.taken()
    assert log.names("metadata") == [
        "picky-1.0-py3-none-any.whl.metadata",
        "picky-2.0-py3-none-any.whl.metadata",
        "price_list-1.1-py3-none-any.whl.metadata",
    ]
    assert log.names("wheel") == ["picky-1.0-py3-none-any.whl", "price_list-1.1-py3-none-any.whl"]


def test_resolving_downloads_no_wheel_at_all(site: Site, client: Client, newest_pip: Pip) -> None:
    # The bundled pip downloads, even for a dry run, what it would install.
    python = client.new_environment()

    said = client.succeed(newest_pip.at(site, "install", "--dry-run", "cart-core", into=python)).said

    assert "Would install Cart.Core-1.5 price-list-1.1" in said
    assert site.taken().counts == {("page", 200): 2, ("metadata", 200): 2}


def test_the_second_go_gets_304_and_asks_for_nothing_else(site: Site, client: Client, pip: Pip) -> None:
    python = client.new_environment()
    install = pip.at(site, "install", "--dry-run", "cart-core", into=python)
    client.succeed(install)
    site.taken()

    client.succeed(install)

    log = site.taken()
    log.assert_revalidated(set(WHEELS_ONLY))
    assert log.counts == {("page", 304): 2}


def test_a_page_within_its_max_age_is_not_asked_for_again(
    tmp_path: Path, client: Client, newest_pip: Pip
) -> None:
    # The bundled pip asks again whatever the page says.
    with serving(tmp_path, page_max_age=3600) as site:
        python = client.new_environment()
        install = newest_pip.at(site, "install", "--dry-run", "cart-core", into=python)
        client.succeed(install)
        assert site.taken().counts[("page", 200)] == 2

        client.succeed(install)

        assert site.taken().requests == ()


def test_download_brings_upstreams_bytes(site: Site, client: Client, newest_pip: Pip) -> None:
    client.succeed(newest_pip.at(site, "download", "--dest", "files", "shop"))

    found = {path.name: _sha256(path) for path in (client.home / "files").iterdir()}
    assert found == {name: site.upstream.warehouse.file(name).sha256 for name in (*WHEELS, SDIST)}


@ANY_NGINX
def test_hashes_of_upstream_are_those_of_the_mirror(site: Site, client: Client, pip: Pip) -> None:
    python = client.new_environment()
    requirements = client.home / "requirements.txt"
    lines = [
        f"{name}=={version} --hash=sha256:{_hash_upstream(site, name)}" for name, version in CLOSURE.items()
    ]
    requirements.write_text("\n".join(lines))

    client.succeed(pip.at(site, "install", "--require-hashes", "-r", requirements, into=python))

    assert installed(client, python) == CLOSURE


@ANY_NGINX
def test_another_hash_is_refused(site: Site, client: Client, newest_pip: Pip) -> None:
    # Shows that the test above can fail.
    requirements = client.home / "requirements.txt"
    requirements.write_text(f"price-list==1.1 --hash=sha256:{'0' * 64}")

    said = client.fail(newest_pip.at(site, "download", "--require-hashes", "-r", requirements))

    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in said


@ANY_NGINX
def test_index_versions_shows_what_this_python_can_have(site: Site, client: Client, pip: Pip) -> None:
    # 2.0 of the one is yanked, of the other for Python 4.
    for name, versions in (("cart-core", "1.5, 1.0"), ("price-list", "1.1, 1.0")):
        said = client.succeed(pip.at(site, "index versions", name)).out
        assert f"Available versions: {versions}\n" in said


@ANY_NGINX
def test_uploaded_prior_to(site: Site, client: Client, newest_pip: Pip) -> None:
    python = client.new_environment()

    client.succeed(
        newest_pip.at(site, "install", f"--uploaded-prior-to={BETWEEN_UPLOADS}", "cart-core", into=python)
    )

    assert installed(client, python) == {"cart-core": "1.5", "price-list": "1.0"}


@ANY_NGINX
def test_a_yanked_release_is_had_by_naming_it_and_says_why(site: Site, client: Client, pip: Pip) -> None:
    python = client.new_environment()

    said = client.succeed(pip.at(site, "install", "cart-core==2.0", into=python)).said

    assert installed(client, python)["cart-core"] == "2.0"
    assert f"Reason for being yanked: {YANK_REASON}" in said


@ANY_NGINX
def test_a_python_too_old_is_told_so(site: Site, client: Client, pip: Pip) -> None:
    said = client.fail(pip.at(site, "download", "price-list==2.0"))

    assert "require a different python version" in said
    assert "Requires-Python >=4" in said


@ANY_NGINX
def test_what_the_filter_left_out_is_reported_as_not_there(site: Site, client: Client, pip: Pip) -> None:
    """pip shows no text of an index; its own words name the project, and the site says what is filtered."""
    said = client.fail(pip.at(site, "install", "win-thing", into=client.new_environment()))

    assert "requirement win-thing (from versions: none)" in said
    assert "No matching distribution found for win-thing" in said
    assert site.taken().counts == {("page", 200): 1}
    _, page = site.get("/")
    assert "No files whose name matches macosx|win32|win_amd64." in page.decode()


@ANY_NGINX
def test_without_a_trusted_host_nothing_is_cached(site: Site, client: Client, newest_pip: Pip) -> None:
    """Why the generated pip.conf names the loopback as trusted, though pip asks for no such thing."""
    python = client.new_environment()
    install = newest_pip("install", "--dry-run", "--index-url", site.index_url, "cart-core", into=python)
    client.succeed(install)
    site.taken()

    client.succeed(install)

    assert site.taken().counts[("page", 200)] == 2


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _hash_upstream(site: Site, name: str) -> str:
    start = f"{name.replace('-', '_')}-{CLOSURE[name]}"
    [filename] = [each for each in (*WHEELS, SDIST) if each.startswith((f"{start}-", f"{start}.tar"))]
    return site.upstream.warehouse.file(filename).sha256
