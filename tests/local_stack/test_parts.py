from dataclasses import replace
from pathlib import Path

import pytest

from local_stack.bring_up import index_from_here, serves_itself
from pypi_mirror.settings.values import Settings, Site

SETTINGS = Settings(
    directory=Path("/srv/mirror"),
    master="https://index.example",
    site=Site(host="pypi.example", public_url="https://pypi.example/pypi"),
)


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080/pypi/simple/"),
        ("0.0.0.0", "http://127.0.0.1:8080/pypi/simple/"),
        ("192.0.2.7", "http://192.0.2.7:8080/pypi/simple/"),
        ("::1", "http://[::1]:8080/pypi/simple/"),
    ],
)
def test_our_own_nginx_is_asked_where_it_listens(listen: str, address: str) -> None:
    settings = replace(SETTINGS, site=replace(SETTINGS.site, listen=(listen,)))
    assert index_from_here(settings) == address


def test_an_nginx_that_watches_is_asked_where_runs_reach_it() -> None:
    site = replace(SETTINGS.site, reload="watch", probe_url="http://nginx:8080/pypi")
    settings = replace(SETTINGS, site=site)
    assert not serves_itself(settings)
    assert index_from_here(settings) == "http://nginx:8080/pypi/simple/"


def test_another_nginx_is_asked_by_its_public_name() -> None:
    settings = replace(SETTINGS, site=replace(SETTINGS.site, reload_command=("true",)))
    assert index_from_here(settings) == "https://pypi.example/pypi/simple/"
