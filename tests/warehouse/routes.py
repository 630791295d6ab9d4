"""From a request to upstream's answer: which address is what, and the caches of rendered pages."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace

from packaging.utils import canonicalize_name

from tests.warehouse import pages
from tests.warehouse.answers import (
    CORS,
    NO_JSON,
    NO_PAGE,
    NOT_ALLOWED,
    NOT_FOUND,
    VARY_ACCEPT,
    VARY_ENCODING,
    Answer,
    Headers,
    accepts_gzip,
    answer,
    compressed,
    moved,
    negotiate,
    none_match,
    not_modified,
    page,
)
from tests.warehouse.behaviour import Behaviour, Hosts
from tests.warehouse.files import NO_FILE, serve_file, serve_metadata
from tests.warehouse.legacy import latest_release, legacy_json
from tests.warehouse.model import Project
from tests.warehouse.requests import Request
from tests.warehouse.state import Warehouse
from tests.warehouse.xmlrpc import XmlRpc

_WAY = b'<p>The stand-in upstream. <a href="/simple/">Its projects</a></p>'
SIMPLE = "/simple/"
BESIDE = ("/packages/", "/pypi", "/integrity/")
NO_LOGIN = answer(401, b"text/plain", b"log in", ((b"WWW-Authenticate", b'Basic realm="index"'),))
HTML = b"text/html"
V1_HTML = b"application/vnd.pypi.simple.v1+html"
V1_JSON = b"application/vnd.pypi.simple.v1+json"
INTEGRITY = b"application/vnd.pypi.integrity.v1+json"

_MAX_AGE: Headers = ((b"Cache-Control", b"max-age=600, public"),)
_LEGACY_MAX_AGE: Headers = ((b"Cache-Control", b"max-age=900, public"),)

_Key = tuple[str, bytes, bool]
"""A rendered page: the project's name (empty for the root index), the content type, whether compressed."""


class Routes:
    """Answers requests from the warehouse's present state; pages are rendered once for each state."""

    def __init__(self, warehouse: Warehouse, behaviour: Behaviour, hosts: Hosts) -> None:
        self.warehouse = warehouse
        self.behaviour = behaviour
        self.hosts = hosts
        self.xmlrpc = XmlRpc(warehouse, behaviour)
        self._rendered: dict[_Key, tuple[object, Answer]] = {}
        self._former: dict[_Key, Answer] = {}

    def respond(self, request: Request) -> tuple[str, Answer]:
        """The kind of the request (see ``Recorded``) and the answer to it."""
        if not self._is_logged_in(request):
            return "refused", NO_LOGIN
        base = self.behaviour.base
        if base != SIMPLE and request.path.startswith(SIMPLE):
            return "page", NO_PAGE
        if request.path.startswith(base) and not request.path.startswith(BESIDE):
            # Below another base all is as it would be below ``/simple/``.
            request = replace(request, path=SIMPLE + request.path.removeprefix(base))
        return self._routed(request)

    def _routed(self, request: Request) -> tuple[str, Answer]:
        first, *rest = request.path.lstrip("/").split("/")
        if request.method == "POST":
            return self._post(request, first, rest)
        if request.method not in {"GET", "HEAD"}:
            return "unexpected", NOT_FOUND
        match first:
            case "" if not rest:
                # No index is here, and a person who looks finds the way to the one there is.
                return "unexpected", answer(404, b"text/html", _WAY)
            case "simple":
                return self._simple(request, rest)
            case "packages":
                return self._file(request)
            case "pypi":
                return self._legacy(request, rest)
            case "integrity" if len(rest) == 4 and rest[3] == "provenance":
                return "provenance", self._provenance(request, rest[0], rest[2])
            case _:
                return "unexpected", NOT_FOUND

    def _is_logged_in(self, request: Request) -> bool:
        if self.behaviour.login is None:
            return True
        wanted = b"Basic " + b64encode(self.behaviour.login.encode())
        return request.header(b"authorization") == wanted

    def missing(self, request: Request) -> Answer:
        """What upstream says at this address when it has nothing there."""
        if request.path.startswith("/simple/"):
            return NO_PAGE
        if request.path.startswith("/packages/"):
            return NO_FILE
        return NO_JSON if request.path.rstrip("/").endswith("/json") else NOT_FOUND

    def older_page(self, request: Request, back: int) -> Answer | None:
        """A cache's copy: the project page of ``back`` changes ago, or the root index that was served before
        the present one. None where there is no such copy.
        """
        match request.path.strip("/").split("/"):
            case ["simple"]:
                older = self._former.get(self._key(request, "", self._simple_type(request)))
                return None if older is None else self._validated(request, older)
            case ["simple", name]:
                copies = self.warehouse.older(canonicalize_name(name))
                if len(copies) < back:
                    return None
                page_then = self._page(copies[-back], self._simple_type(request))
                return self._conditional(request, page_then)
            case _:
                return None

    def _post(self, request: Request, first: str, rest: list[str]) -> tuple[str, Answer]:
        is_endpoint = (first == "pypi" and rest in ([], [""])) or (first == "RPC2" and not rest)
        is_xml = (request.header(b"content-type") or b"").partition(b";")[0].strip() == b"text/xml"
        if not (is_endpoint and is_xml):
            return "unexpected", NOT_FOUND
        if not self.behaviour.xmlrpc:
            return "xmlrpc", NOT_ALLOWED
        return "xmlrpc", self._encoded(request, self.xmlrpc.respond(request.body))

    def _simple(self, request: Request, rest: list[str]) -> tuple[str, Answer]:
        match rest:
            case []:
                return "redirect", self._moved("/simple/", VARY_ENCODING)
            case [""]:
                if self.behaviour.root_list != 200:
                    return "index", answer(self.behaviour.root_list, b"text/html", b"no list")
                return "index", self._index(request)
            case [name]:
                return "redirect", self._moved(f"/simple/{name}/", VARY_ENCODING)
            case [name, ""]:
                normalized = canonicalize_name(name)
                project = self.warehouse.projects.get(normalized)
                if project is None:
                    return "page", NO_PAGE
                if name != normalized:
                    return "redirect", self._moved(f"/simple/{normalized}/", CORS, _MAX_AGE, VARY_ACCEPT)
                return "page", self._project(request, project)
            case _:
                return "unexpected", NO_PAGE

    def _simple_type(self, request: Request) -> bytes:
        offers = (HTML, V1_HTML, V1_JSON) if self.behaviour.json_pages else (HTML,)
        return negotiate(request.header(b"accept"), offers) or HTML

    def _index(self, request: Request) -> Answer:
        kind = self._simple_type(request)
        revision = self.warehouse.revision
        return self._cached(request, "", kind, revision, lambda: self._root(kind))

    def _root(self, kind: bytes) -> Answer:
        projects = tuple(self.warehouse.projects.values())
        serial = self.warehouse.serial
        if kind == V1_JSON:
            body = pages.index_json(projects, serial, self.behaviour)
        else:
            body = pages.index_html(projects, self.behaviour)
        return self._simple_page(kind, body, serial)

    def _project(self, request: Request, project: Project) -> Answer:
        kind = self._simple_type(request)
        return self._cached(request, project.normalized, kind, project, lambda: self._page(project, kind))

    def _page(self, project: Project, kind: bytes) -> Answer:
        render = pages.project_json if kind == V1_JSON else pages.project_html
        return self._simple_page(kind, render(project, self.hosts, self.behaviour), project.page_serial)

    def _simple_page(self, kind: bytes, body: bytes, serial: int) -> Answer:
        content_type = kind + b"; charset=UTF-8" if kind == HTML else kind
        shown = serial if self.behaviour.serials else None
        return page(content_type, body, serial=shown, max_age=600, vary=VARY_ACCEPT)

    def _file(self, request: Request) -> tuple[str, Answer]:
        path = request.path.lstrip("/")
        if path.endswith(".metadata"):
            kind = "metadata"
            file = self.warehouse.files.get(path.removesuffix(".metadata"))
            if file is None or file.metadata_sha256 is None:
                return kind, NO_FILE
            return kind, self._validated(request, serve_metadata(file))
        file = self.warehouse.files.get(path)
        if file is None:
            return ("file" if path.count("/") == 4 else "unexpected"), NO_FILE
        ranges = {"range_": request.header(b"range"), "if_range": request.header(b"if-range")}
        return "file", self._validated(request, serve_file(file, **ranges))

    def _legacy(self, request: Request, rest: list[str]) -> tuple[str, Answer]:
        match [each for each in rest if each]:
            case [] if self.behaviour.xmlrpc:
                path = "/" if rest else "/pypi/"
                return "redirect", self._moved(path, VARY_ENCODING)
            case [name, "json"]:
                return self._legacy_json(request, name, None)
            case [name, version, "json"]:
                return self._legacy_json(request, name, version)
            case _:
                return "unexpected", NOT_FOUND

    def _legacy_json(self, request: Request, name: str, version: str | None) -> tuple[str, Answer]:
        normalized = canonicalize_name(name)
        project = self.warehouse.projects.get(normalized)
        if project is None or project.quarantined or not self.behaviour.legacy_json:
            return "json", NO_JSON
        if version is None:
            release = latest_release(project)
        else:
            try:
                release = project.release(version)
            except LookupError:
                release = None
        if release is None or release.quarantined:
            return "json", NO_JSON
        if name != normalized:
            path = request.path.replace(f"/{name}/", f"/{normalized}/", 1)
            return "redirect", self._moved(path, CORS, _LEGACY_MAX_AGE, VARY_ENCODING)

        def build() -> Answer:
            body = legacy_json(project, release, self.hosts, all_releases=version is None)
            serial = project.page_serial
            return page(b"application/json", body, serial=serial, max_age=900, vary=VARY_ENCODING)

        key = f"{normalized}/{'' if version is None else release.version}"
        return "json", self._cached(request, key, b"application/json", project, build)

    def _provenance(self, request: Request, name: str, filename: str) -> Answer:
        try:
            _, file = self.warehouse.project(name).release_with(filename)
        except LookupError:
            return NOT_FOUND
        offers = (INTEGRITY, b"application/json")
        kind = negotiate(request.header(b"accept"), offers)
        if kind is None:
            body = b'{"message":"Request not acceptable"}'
            return answer(406, b"application/json", body, _MAX_AGE, VARY_ACCEPT)
        if file.provenance is None:
            body = f'{{"message":"No provenance available for {filename}"}}'.encode()
            return answer(404, b"application/json", body, _MAX_AGE, VARY_ACCEPT)
        found = page(kind, file.provenance.encode(), serial=None, max_age=600, vary=VARY_ACCEPT)
        return self._conditional(request, found)

    def _moved(self, path: str, *more: Headers) -> Answer:
        if path.startswith(SIMPLE):
            path = self.behaviour.base + path.removeprefix(SIMPLE)
        return moved(self.hosts.site + path, path, *more)

    def _cached(
        self, request: Request, name: str, kind: bytes, state: object, build: Callable[[], Answer]
    ) -> Answer:
        """The answer for this state, rendered and compressed once."""
        key = self._key(request, name, kind)
        held = self._rendered.get(key)
        if held is None or (held[0] is not state and held[0] != state):
            if held is not None and name == "":
                self._former[key] = held[1]
            held = self._rendered[key] = (state, self._encoded(request, build()))
        return self._validated(request, held[1])

    def _key(self, request: Request, name: str, kind: bytes) -> "_Key":
        return name, kind, self._wants_gzip(request)

    def _conditional(self, request: Request, plain: Answer) -> Answer:
        return self._validated(request, self._encoded(request, plain))

    def _wants_gzip(self, request: Request) -> bool:
        return self.behaviour.gzip and accepts_gzip(request.header(b"accept-encoding") or b"")

    def _encoded(self, request: Request, plain: Answer) -> Answer:
        return compressed(plain) if self._wants_gzip(request) else plain

    def _validated(self, request: Request, whole: Answer) -> Answer:
        wanted = request.header(b"if-none-match")
        tag = whole.header(b"ETag")
        if wanted is not None:
            return not_modified(whole) if tag is not None and none_match(wanted, tag) else whole
        # Like nginx by default: the date must be the very one (RFC 9110, section 13.1.3, allows that).
        since = request.header(b"if-modified-since")
        if since is not None and since == whole.header(b"Last-Modified"):
            return not_modified(whole)
        return whole
