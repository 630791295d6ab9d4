"""Ask the live server for what clients will ask for, and compare it with the disk.

A configuration that nginx accepts can still serve the wrong thing. The probe fails on the first
deviation and names the address, what was expected and what came.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import requests
import urllib3
from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.errors import WebServerError
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.maps import HTML_TYPE, JSON_TYPE, V1_HTML_TYPE
from pypi_mirror.webserver.quoting import local_url, public_path, server_name
from pypi_mirror.webserver.render import FINGERPRINT_HEADER, fingerprint_in, site_config_path

_TIMEOUT = 30.0
_LOOK_AGAIN = 0.1
_BLOCK = 1 << 16
_RANGE = 100
_STRONG_ETAG = re.compile(r'"[^"]+"')
_FILES = {"ALL": ("index.v1_json", "index.html"), "HTML": ("index.html",), "JSON": ("index.v1_json",)}
_TYPES = {"index.v1_json": (JSON_TYPE,), "index.html": (V1_HTML_TYPE, HTML_TYPE)}
_ABSENT = "there-is-no-such-project-in-any-index"


class Sample(Struct, frozen=True, kw_only=True):
    """A project to ask for. ``file`` is the path, relative to ``web/``, of one of its files, if it has one;
    ``metadata`` and ``provenance`` say what lies beside it."""

    project: NormalizedName
    display_name: str | None = None
    file: str | None = None
    metadata: bool = False
    provenance: bool = False


def probe(
    settings: Settings,
    sample: Sample | None,
    *,
    fingerprint: str | None = None,
    patience: float = 10.0,
) -> tuple[str, ...]:
    """Check the live server; return what was checked, a short line each. Raises WebServerError.

    The server must run the configuration ``fingerprint``, by default the one on disk;
    ``patience`` is how many seconds a reload may take until it does.
    """
    expected = fingerprint or _fingerprint_on_disk(settings)
    with requests.Session() as session:
        session.trust_env = False
        client = _Client(
            session=session,
            host=f"{server_name(settings)}:{settings.site.port}",
            base=local_url(settings.site),
            fingerprint=expected,
            deadline=time.monotonic() + patience,
        )
        try:
            return tuple(_checks(client, settings, sample))
        except FileNotFoundError as error:
            raise WebServerError(f"{error.filename}: the probe expected it on disk, to compare") from error
        except urllib3.exceptions.HTTPError as error:
            raise WebServerError(f"{client.base}: the connection broke in an answer: {error}") from error


def _checks(client: "_Client", settings: Settings, sample: Sample | None) -> Iterator[str]:
    simple, public = settings.web / "simple", public_path(settings)
    yield from _check_page(client, settings, "/simple/", simple)
    client.expect_redirect("/simple", f"{public}/simple/")
    yield "/simple redirects to /simple/"
    if sample is not None:
        name = sample.project
        page = f"/simple/{name}/"
        directory = simple / name[0] / name if settings.hash_index else simple / name
        yield from _check_page(client, settings, page, directory)
        client.expect_redirect(f"/simple/{name}", f"{public}{page}")
        yield f"/simple/{name} redirects to {page}"
        if sample.display_name is not None and sample.display_name != name:
            file = _FILES[settings.simple_format][0]
            headers = {"Accept": _TYPES[file][0]}
            with client.ask(f"/simple/{quote(sample.display_name)}/", headers=headers) as answer:
                answer.expect_body(directory / file)
            yield f"/simple/{sample.display_name}/ is {page}"
        if sample.file is not None:
            yield from _check_file(client, settings.web / sample.file, f"/{quote(sample.file)}", sample)
    with client.ask(f"/simple/{_ABSENT}/", status=HTTPStatus.NOT_FOUND) as answer:
        answer.expect("Content-Type", "text/plain; charset=utf-8")
    yield "an unknown project is 404"
    with client.ask("/simple/", method="POST", status=HTTPStatus.METHOD_NOT_ALLOWED) as answer:
        answer.expect("Allow", "GET, HEAD")
    yield "POST is 405"


def _check_page(client: "_Client", settings: Settings, path: str, directory: Path) -> Iterator[str]:
    """Every format of a page: type, Vary, a strong ETag, the bytes of the disk, and 304 the second time."""
    names = _FILES[settings.simple_format]
    for name in names:
        for content_type in _TYPES[name]:
            accept = content_type.partition(";")[0]
            for encoding in ("identity", "gzip"):
                headers = {"Accept": accept, "Accept-Encoding": encoding}
                with client.ask(path, headers=headers) as answer:
                    answer.expect("Content-Type", content_type)
                    answer.expect_vary(accept=names != ("index.v1_json",))
                    twin = answer.header("Content-Encoding") == "gzip"
                    answer.expect_body(directory / (f"{name}.gz" if twin else name))
                    etag = answer.strong_etag()
                with client.ask(
                    path, headers=headers | {"If-None-Match": etag}, status=HTTPStatus.NOT_MODIFIED
                ) as answer:
                    answer.expect("ETag", etag)
            yield f"{path} as {accept}"


def _check_file(client: "_Client", on_disk: Path, path: str, sample: Sample) -> Iterator[str]:
    """A file: a range out of its middle, and what lies beside it."""
    size = on_disk.stat().st_size
    first = size // 2
    last = min(first + _RANGE, size) - 1
    headers = {"Range": f"bytes={first}-{last}"}
    with client.ask(path, headers=headers, status=HTTPStatus.PARTIAL_CONTENT) as answer:
        answer.expect("Content-Type", "application/octet-stream")
        answer.expect("Content-Range", f"bytes {first}-{last}/{size}")
        answer.expect("Cache-Control", "max-age=365000000, immutable, public")
        with on_disk.open("rb") as file:
            file.seek(first)
            answer.expect_bytes(file.read(last - first + 1), of=on_disk)
        answer.strong_etag()
    yield f"a range of {path}"
    for present, suffix, content_type in (
        (sample.metadata, ".metadata", "application/octet-stream"),
        (sample.provenance, ".provenance", "application/vnd.pypi.integrity.v1+json"),
    ):
        if present:
            with client.ask(path + suffix) as answer:
                answer.expect("Content-Type", content_type)
                answer.expect_body(on_disk.with_name(on_disk.name + suffix))
            yield f"{path}{suffix}"


@dataclass(kw_only=True)
class _Client:
    session: requests.Session
    host: str
    base: str
    fingerprint: str
    deadline: float

    @contextmanager
    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Iterator["_Answer"]:
        url = self.base + path
        response = self._of_this_configuration(method, url, headers or {})
        answer = _Answer(asked=_describe(method, url, headers or {}), response=response)
        with response:
            if response.status_code != status:
                raise answer.deviation("the status", str(status.value), str(response.status_code))
            yield answer

    def expect_redirect(self, path: str, target: str) -> None:
        """``target`` is the full path: not every client resolves another one."""
        with self.ask(path, status=HTTPStatus.MOVED_PERMANENTLY) as answer:
            location = answer.header("Location")
            if location != target:
                raise answer.deviation("Location to lead to", target, repr(location))

    def _of_this_configuration(self, method: str, url: str, headers: Mapping[str, str]) -> requests.Response:
        """Asks again while the old configuration's workers still answer, or nobody does."""
        while True:
            try:
                response = self.session.request(
                    method,
                    url,
                    # requests would add its own Accept and Accept-Encoding; None keeps them out.
                    headers={"Accept": None, "Accept-Encoding": None, "Host": self.host, **headers},
                    allow_redirects=False,
                    stream=True,
                    timeout=_TIMEOUT,
                )
                seen = response.headers.get(FINGERPRINT_HEADER)
                if seen == self.fingerprint:
                    return response
                response.close()
                trouble = f"{FINGERPRINT_HEADER} is {seen}"
            except requests.RequestException as error:
                trouble = str(error)
            if time.monotonic() > self.deadline:
                raise WebServerError(
                    f"{_describe(method, url, headers)}: expected an answer of the new configuration "
                    f"({FINGERPRINT_HEADER}: {self.fingerprint}), but {trouble}; "
                    "nginx's error log says why it did not take it up"
                )
            # Old workers go on serving the connections they have: a new one finds the new workers.
            self.session.close()
            time.sleep(_LOOK_AGAIN)


@dataclass(kw_only=True)
class _Answer:
    asked: str
    response: requests.Response

    def deviation(self, what: str, expected: str, got: str) -> WebServerError:
        return WebServerError(f"{self.asked}: expected {what} {expected}, got {got}")

    def header(self, name: str) -> str | None:
        return self.response.headers.get(name)

    def expect(self, name: str, value: str) -> None:
        if self.header(name) != value:
            raise self.deviation(name, value, repr(self.header(name)))

    def expect_vary(self, *, accept: bool) -> None:
        """One Vary header, that names Accept where there is a choice and the encoding where one was used."""
        lines = self.response.raw.headers.getlist("Vary")
        names = {name.strip().lower() for line in lines for name in line.split(",")} - {""}
        wanted = {"accept"} if accept else set()
        if self.header("Content-Encoding"):
            wanted.add("accept-encoding")
        if len(lines) > 1 or not wanted <= names:
            raise self.deviation("one Vary header with", ", ".join(sorted(wanted)), repr(lines))

    def strong_etag(self) -> str:
        etag = self.header("ETag")
        if etag is None or not _STRONG_ETAG.fullmatch(etag):
            raise self.deviation("ETag", "to be strong", repr(etag))
        return etag

    def expect_body(self, path: Path) -> None:
        """The body as it is sent, still compressed if it is, block by block."""
        received = 0
        with path.open("rb") as file:
            for block in self.response.raw.stream(_BLOCK, decode_content=False):
                if file.read(len(block)) != block:
                    raise self.deviation("the bytes of", str(path), f"others, from byte {received} on")
                received += len(block)
            rest = len(file.read(1))
        if rest:
            raise self.deviation("the bytes of", str(path), f"only the first {received}")

    def expect_bytes(self, data: bytes, *, of: Path) -> None:
        received = self.response.raw.read(len(data) + 1)
        if received != data:
            raise self.deviation(f"{len(data)} bytes from the middle of", str(of), f"{len(received)} others")


def _describe(method: str, url: str, headers: Mapping[str, str]) -> str:
    shown = ", ".join(f"{name}: {value}" for name, value in headers.items())
    return f"{method} {url}" + (f" ({shown})" if shown else "")


def _fingerprint_on_disk(settings: Settings) -> str:
    path = site_config_path(settings)
    found = fingerprint_in(path.read_text()) if path.exists() else None
    if found is None:
        raise WebServerError(f"{path} is missing or not ours: render the site's configuration first")
    return found
