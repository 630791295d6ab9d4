"""nginx's configuration as text, made from the settings: pure, nothing is read or written.

Two files: the *site*, with the maps and the ``server`` block, which an administrator's nginx can include,
and a *main* file for an nginx of our own that includes the site and needs no root.
"""

import functools
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.maps import HTML_TYPE, JSON_TYPE, V1_HTML_TYPE, negotiation
from pypi_mirror.webserver.name_map import NORMALIZED, SPELLED, NameMap, spelling_maps
from pypi_mirror.webserver.nginx_binary import Capabilities
from pypi_mirror.webserver.quoting import (
    alias_names,
    listen_addresses,
    public_path,
    quote,
    quote_include,
    quote_path,
    refusal,
    server_name,
    site_prefix,
)
from pypi_mirror.webserver.site_page import content_security_policy

if TYPE_CHECKING:
    import jinja2

# A bucket holds a key of up to LONGEST_KEY bytes and nginx's bookkeeping.
_HASH_BUCKET_SIZE = 512
_SMALLEST_HASH = 2048
FINGERPRINT_HEADER = "X-Mirror-Config"
REFUSED = "refused"
"""Below the site's prefix and in the folder of the nginx that watches its configuration: a file for each one
that it refused, named by its fingerprint, with the reason. Only who has it can know that name."""

METRICS_NAME = "metrics"
"""In ``web/``: the figures for Prometheus, as ``METRICS_TYPE``."""

METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
CONNECTIONS = 8192
"""Of each of the two workers of an nginx of our own, where it may open twice as many files."""

# Logs, listening sockets and what else a worker has open.
_OTHER_FILES = 64
_FEWEST_CONNECTIONS = 256
_POOLED = "[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/[^/]+"
# A page's links are ../../packages/…, which leads here where its address had a slash too many.
_BESIDE_PAGES = "(?:/simple(?:/[^/]+)?)?"
_VERSION = "[A-Za-z0-9][A-Za-z0-9.!+_-]*"
# What a browser tells a page of another site beyond the few headers that it always does.
_EXPOSED = "Accept-Ranges, Content-Range, ETag, X-PyPI-Last-Serial"
# What such a page may send: what micropip and JupyterLite do, and PyPI allows.
_ALLOWED = (
    "Accept, Accept-Language, Cache-Control, Content-Type, If-Match, If-Modified-Since, If-None-Match, "
    "If-Range, If-Unmodified-Since, Pragma, Range, X-Requested-With"
)
_PAGE_CSP = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class RenderedSite(Struct, frozen=True, kw_only=True):
    """The site's configuration. ``fingerprint`` is what the live server shows as ``X-Mirror-Config``: it
    changes with the text and with the name map."""

    text: str
    fingerprint: str


class Runtime(Struct, frozen=True, kw_only=True):
    """Where an nginx of our own keeps its things: below ``folder``, but for ``access`` if that is set.

    With ``to_terminal`` its complaints go to its standard error and nowhere else.
    """

    folder: Path
    access: Path | None = None
    to_terminal: bool = False

    @property
    def config(self) -> Path:
        return self.folder / "nginx.conf"

    @property
    def pid(self) -> Path:
        return self.folder / "nginx.pid"

    @property
    def temporary(self) -> Path:
        """Where nginx makes its folders for request bodies; it must exist before nginx starts."""
        return self.folder / "temporary"

    @property
    def arguments(self) -> tuple[str, ...]:
        """nginx's arguments for this configuration; its first complaints go to the terminal as well."""
        complaints = "stderr" if self.to_terminal else str(self.error_log)
        return ("-p", str(self.folder), "-e", complaints, "-c", str(self.config))

    @property
    def access_log(self) -> Path:
        """One JSON object a line."""
        return self.access or self.folder / "access.log"

    @property
    def error_log(self) -> Path:
        return self.folder / "error.log"


class _Server(Struct, frozen=True, kw_only=True):
    """A ``server`` block: ``prefix`` is the path of its pages, ``public`` that of redirects."""

    listen: tuple[str, ...]
    names: str
    prefix: str
    public: str
    comment: str = ""

    @property
    def prefix_pattern(self) -> str:
        return self.prefix.replace(".", "\\\\.")


class _Variant(Struct, frozen=True, kw_only=True):
    name: str
    content_type: str
    csp: str = ""


_VARIANTS = {
    "json": _Variant(name="json", content_type=JSON_TYPE),
    "v1html": _Variant(name="v1html", content_type=V1_HTML_TYPE, csp=_PAGE_CSP),
    "html": _Variant(name="html", content_type=HTML_TYPE, csp=_PAGE_CSP),
}
_OFFERED = {"ALL": ("json", "v1html", "html"), "HTML": ("v1html", "html"), "JSON": ("json",)}


def site_config_path(settings: Settings) -> Path:
    """The site's configuration: ``[site] config``, else ``<directory>/nginx/pypi-mirror.conf``."""
    return settings.site.config or settings.directory / "nginx" / "pypi-mirror.conf"


def name_map_path(settings: Settings) -> Path:
    """Where ``rebuild_index`` writes the name map."""
    return settings.directory / "nginx" / "names.map"


def default_runtime(settings: Settings) -> Runtime:
    """``<directory>/nginx``."""
    return Runtime(folder=settings.directory / "nginx")


def render(
    settings: Settings, *, capabilities: Capabilities, names: NameMap, listen: str | None = None
) -> RenderedSite:
    """The site's configuration for the nginx that has these ``capabilities``.

    ``listen`` replaces the address of the settings, for tests of the text that
    must not bind to it. ``ConfigurationError`` names a setting that nginx has no safe way to write.
    """
    web = settings.web
    max_age = settings.site.page_max_age
    if max_age < 0:
        raise refusal(settings, "[site] page-max-age", f"{max_age} is negative")
    offered = _OFFERED[settings.simple_format]
    choice = len(offered) > 1

    def in_web(path: str) -> str:
        return quote_path(web, key="[mirror] directory", settings=settings)[:-1] + path + '"'

    context = {
        "servers": tuple(_servers(settings, (listen,) if listen else listen_addresses(settings))),
        "per_client": settings.site.connections_per_client,
        "exposed": _EXPOSED,
        "allowed": _ALLOWED,
        "hash_bucket_size": _HASH_BUCKET_SIZE,
        "hash_max_size": max(_SMALLEST_HASH, names.lines),
        "negotiation": negotiation(settings.simple_format),
        "spelling": spelling_maps(names.path, hash_index=settings.hash_index),
        "name_map": quote_include(names.path, key="[mirror] directory", settings=settings),
        "hash_index": settings.hash_index,
        "normalized": NORMALIZED,
        "spelled": SPELLED,
        "pooled": _POOLED,
        "beside_pages": _BESIDE_PAGES,
        "version": _VERSION,
        "directory": "$mirror_directory" if settings.hash_index else "$mirror_normalized",
        "format": "$mirror_format" if choice else offered[0],
        "page": "$mirror_page" if "json" in offered and choice else _page_of(offered[0]),
        "variants": [_VARIANTS[name] for name in offered],
        "gzip_static": capabilities.gzip_static,
        "page_cache": f"max-age={max_age}, public",
        "vary": ", ".join(
            name
            for name, varies in (("Accept", choice), ("Accept-Encoding", capabilities.gzip_static))
            if varies
        ),
        "simple": in_web("/simple/"),
        "pool": in_web("/packages/$mirror_file"),
        "legacy": in_web("/pypi/$mirror_spelling$mirror_release/json"),
        "front_page": in_web("/index.html"),
        "front_page_csp": content_security_policy(),
        "status": in_web("/mirror.json"),
        "metrics": in_web(f"/{METRICS_NAME}"),
        "metrics_type": METRICS_TYPE,
        "web": in_web("/"),
        "refused": REFUSED if settings.site.reload == "watch" else "",
    }
    template = _templates().get_template("site.conf.jinja")
    plain = template.render(context, fingerprint="")
    fingerprint = hashlib.sha256(plain.encode() + names.digest).hexdigest()[:16]
    return RenderedSite(text=template.render(context, fingerprint=fingerprint), fingerprint=fingerprint)


def fingerprint_in(text: str) -> str | None:
    """The fingerprint that a site's configuration gives itself; None in one that is not ours."""
    found = re.search(rf"add_header {FINGERPRINT_HEADER} ([0-9a-f]+) ", text)
    return None if found is None else found[1]


def render_main(
    settings: Settings,
    runtime: Runtime,
    *,
    site: Path,
    user: str | None = None,
    open_files: int | None = None,
) -> str:
    """The main file of an nginx of our own that includes ``site`` and keeps everything in ``runtime``.

    ``user`` is for a master that root starts: whom the workers run as, as in nginx's ``user``. ``open_files``
    is how many files a worker may have open, None for as many as ``CONNECTIONS`` need.
    """
    needed = CONNECTIONS * 2 + _OTHER_FILES
    files = needed if open_files is None else min(open_files, needed)

    def word(path: Path) -> str:
        return quote_path(path, key="[mirror] directory", settings=settings)

    return (
        _templates()
        .get_template("main.conf.jinja")
        .render(
            user=user,
            open_files=files,
            connections=max(_FEWEST_CONNECTIONS, (files - _OTHER_FILES) // 2),
            pid=word(runtime.pid),
            lock=word(runtime.folder / "nginx.lock"),
            error_log="stderr" if runtime.to_terminal else word(runtime.error_log),
            access_log=word(runtime.access_log),
            temporary={
                name: word(runtime.temporary / name)
                for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            },
            site=quote_include(site, key="[site] config", settings=settings),
        )
    )


def _servers(settings: Settings, listen: tuple[str, ...]) -> Iterator[_Server]:
    """The mirror's own server, which answers for unknown names too, and that of its aliases."""
    yield _Server(
        listen=listen,
        names=server_name(settings),
        prefix=site_prefix(settings),
        public=public_path(settings),
    )
    if aliases := alias_names(settings):
        yield _Server(
            # Options of an address are given once.
            listen=tuple(address.partition(" ")[0] for address in listen),
            names=" ".join(aliases),
            prefix="",
            public="",
            comment="Host names of other indexes: lock files name their addresses, which begin at the root.",
        )


def _page_of(variant: str) -> str:
    return "index.v1_json" if variant == "json" else "index.html"


@functools.cache
def _templates() -> "jinja2.Environment":
    # Only who renders waits for Jinja to be imported.
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pypi_mirror.webserver", ""),
        autoescape=False,  # noqa: S701 - nginx's language, quoted by the "word" filter
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["word"] = quote
    return environment
