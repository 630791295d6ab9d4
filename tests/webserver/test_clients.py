"""What clients are told, read back the way they read it."""

import configparser
import dataclasses
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from pypi_mirror.settings.values import Settings, Site
from pypi_mirror.webserver import clients


def settings(url: str) -> Settings:
    return Settings(directory=Path("/srv/m"), master="https://index.example", site=Site(public_url=url))


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("http://localhost:8080/pypi", "localhost"),
        ("http://127.0.0.1:8080", "127.0.0.1"),
        ("http://[::1]:8080", "::1"),
        ("http://[2001:DB8::7]/pypi", "2001:db8::7"),
        ("http://PyPI.Lab.example/pypi", "pypi.lab.example"),
        ("HTTP://pypi.lab.example/pypi", "pypi.lab.example"),
        ("HTTPS://pypi.lab.example/pypi", None),
        ("https://pypi.lab.example/pypi", None),
        ("http://pypi.lab.example/pypi", "pypi.lab.example"),
        ("http://pypi.lab.example:8080/pypi", "pypi.lab.example"),
        ("http://10.0.0.7:81", "10.0.0.7"),
        ("http://localhost.lab.example", "localhost.lab.example"),
    ],
)
def test_pip_conf_trusts_the_host_of_plain_http_alone(url: str, trusted: str | None) -> None:
    # pip's own reader is a RawConfigParser.
    parser = configparser.RawConfigParser()
    parser.read_string(clients.pip_conf(settings(url)))
    expected = {"index-url": f"{url}/simple/"} | ({} if trusted is None else {"trusted-host": trusted})
    assert dict(parser["global"]) == expected


def test_uv_toml_makes_the_mirror_the_default_index() -> None:
    read = tomllib.loads(clients.uv_toml(settings("http://h.example/pypi")))
    assert read == {"index": [{"url": "http://h.example/pypi/simple/", "default": True}]}


def test_poetry_source_makes_the_mirror_primary() -> None:
    read = tomllib.loads(clients.poetry_source(settings("http://h.example/pypi")))
    source = {"name": "mirror", "url": "http://h.example/pypi/simple/", "priority": "primary"}
    assert read == {"tool": {"poetry": {"source": [source]}}}


@pytest.mark.parametrize(("scheme", "verify"), [("http", False), ("https", True)])
def test_pdm_and_pipenv_check_certificates_where_there_are_any(scheme: str, verify: bool) -> None:
    given = settings(f"{scheme}://h.example/pypi")
    source = {"url": f"{scheme}://h.example/pypi/simple/", "verify_ssl": verify}
    assert 'name = "pypi"  # replaces PDM' in clients.pdm_source(given)
    pdm = tomllib.loads(clients.pdm_source(given))
    assert pdm == {"tool": {"pdm": {"source": [{"name": "pypi", **source}]}}}
    assert tomllib.loads(clients.pipfile_source(given)) == {"source": [{"name": "mirror", **source}]}


def test_shells_dockerfiles_and_ci_have_the_same_variables() -> None:
    given = settings("http://h.example:81/p")
    variables = dict(clients.environment(given))
    texts = {each.name: each.text for each in clients.snippets(given)}
    shell = dict(line.split("=", 1) for line in shlex.split(texts["Shell"]) if line != "export")
    docker = [line.removeprefix("ENV ") for line in texts["Dockerfile"].splitlines()]
    assert shell == variables
    assert dict(line.split("=", 1) for line in docker) == variables
    assert yaml.safe_load(texts["GitHub Actions"]) == {"env": variables}
    assert yaml.safe_load(texts["GitLab CI"]) == {"variables": variables}


def test_environment_variables() -> None:
    assert clients.environment(settings("http://h.example:81/p")) == (
        ("PIP_INDEX_URL", "http://h.example:81/p/simple/"),
        ("PIP_TRUSTED_HOST", "h.example"),
        ("UV_DEFAULT_INDEX", "http://h.example:81/p/simple/"),
    )
    assert [name for name, _ in clients.environment(settings("https://h.example"))] == [
        "PIP_INDEX_URL",
        "UV_DEFAULT_INDEX",
    ]


def test_a_trailing_slash_is_not_doubled() -> None:
    given = settings("http://h.example/pypi")
    slashed = dataclasses.replace(
        given, site=dataclasses.replace(given.site, public_url="http://h.example/pypi/")
    )
    assert clients.index_url(slashed) == clients.index_url(given)
