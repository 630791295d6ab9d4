"""``[site] aliases``: nginx answers for other indexes' host names, at their addresses."""

import dataclasses
import http.client
from pathlib import Path

import pytest

from pypi_mirror.errors import ConfigurationError
from pypi_mirror.settings.read import read_settings
from pypi_mirror.webserver import quoting
from tests.webserver.sites import BINARIES, FILE, FILE_BYTES, PROJECT, LiveSite, serving, settings_for

ALIASES = ("index.example", "Files.Example")


def ask(site: LiveSite, host: str, path: str) -> tuple[int, bytes, str | None]:
    connection = http.client.HTTPConnection("127.0.0.1", site.settings.site.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("Location")
    finally:
        connection.close()


@pytest.mark.servers
@pytest.mark.parametrize("listen", ["127.0.0.1", "::"])
@pytest.mark.parametrize("nginx", BINARIES)
def test_files_and_pages_are_at_upstreams_addresses(nginx: str, listen: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, nginx=nginx)
    site = dataclasses.replace(settings.site, aliases=ALIASES, listen=(listen,))
    with serving(dataclasses.replace(settings, site=site)) as live:
        for host in ("index.example", "files.example", "FILES.example:443"):
            assert ask(live, host, f"/{FILE}") == (200, FILE_BYTES, None)
            assert ask(live, host, f"/simple/{PROJECT}/")[0] == 200
            assert ask(live, host, f"/simple/{PROJECT}")[::2] == (301, f"/simple/{PROJECT}/")
            assert ask(live, host, f"/pypi/{PROJECT}/json")[0] == 200
            # The prefix is for the mirror's own name.
            assert ask(live, host, f"/pypi/{FILE}")[0] == 404
        for host in ("localhost", "unknown.example"):
            assert ask(live, host, f"/{FILE}")[0] == 404
            assert ask(live, host, f"/pypi/{FILE}")[0] == 200


@pytest.mark.parametrize("alias", ["a b", "a;b", "a{", "$host", "~^x", "*.x", "a/b", ""])
def test_an_alias_that_is_no_host_name_is_refused(alias: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    site = dataclasses.replace(settings.site, aliases=(alias,))
    with pytest.raises(ConfigurationError, match=r"\[site\] aliases.*not a host name"):
        quoting.alias_names(dataclasses.replace(settings, site=site))


def test_the_sites_own_name_is_no_alias(tmp_path: Path) -> None:
    conf = tmp_path / "mirror.conf"
    text = f"[mirror]\ndirectory = {tmp_path}\n[site]\nhost = pypi.example\naliases = %s\n"
    conf.write_text(text % "files.example\n    PyPI.example")
    with pytest.raises(ConfigurationError, match=r"\[site\] aliases.*is \[site\] host"):
        read_settings(conf, {})
    conf.write_text(text % "files.example")
    assert read_settings(conf, {}).site.aliases == ("files.example",)
