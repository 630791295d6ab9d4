"""Clients that read a mirror's site as fast as they can and judge every answer.

They know nothing of the mirror but its address. Runs in a process of its own (:func:`hammering`), for the
mirror and its upstream need this one's interpreter.
"""

import gzip
import hashlib
import http.client
import json
import multiprocessing
import random
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event as StopEvent
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from tests.torture.campaign import Wrong

_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = (_JSON, "application/vnd.pypi.simple.v1+html", "text/html")
_PAGES_AN_INDEX = 12
_FILES_A_PAGE = 3
# What a server does to a kept connection that it no longer wants, and what every client overcomes.
_CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Torn(Exception):
    """An answer that is not whole, or is not what it says it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """``body`` is decoded."""

    status: int
    etag: str | None
    content_type: str
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A file on a page; ``size`` is None where the page does not say."""

    path: str
    sha256: str
    size: int | None
    metadata_sha256: str | None


@dataclass(kw_only=True, slots=True)
class Findings:
    """What all readers of a process found; the threads share it."""

    wrong: list[Wrong] = field(default_factory=list)
    reads: Counter[str] = field(default_factory=Counter)
    guard: threading.Lock = field(default_factory=threading.Lock)
    # (path, ETag) to the digest of what came with it.
    tagged: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, kind: str, detail: str) -> None:
        with self.guard:
            self.wrong.append(Wrong(kind=kind, detail=detail))

    def note_tag(self, path: str, reply: Reply) -> None:
        """One ETag at one address is one body, or caches serve what is not there any more."""
        if reply.etag is None:
            return
        digest = hashlib.sha256(reply.body).hexdigest()
        with self.guard:
            before = self.tagged.setdefault((path, reply.etag), digest)
        if before != digest:
            self.add("two bodies, one ETag", f"{path} {reply.etag}")


class Reader:
    """One client with one kept connection."""

    def __init__(
        self,
        port: int,
        prefix: str,
        seed: int,
        findings: Findings,
        counted: "Synchronized[int]",
    ) -> None:
        self._port = port
        self._prefix = prefix
        self._chance = random.Random(seed)
        self._findings = findings
        self._counted = counted
        self._connection: http.client.HTTPConnection | None = None

    def run(self, stop: StopEvent) -> None:
        while not stop.is_set():
            try:
                self._round()
            except Torn as torn:
                self._findings.add("torn answer", str(torn))
            except OSError as error:
                self._close()
                self._findings.add("no answer", f"{type(error).__name__}: {error}")
        self._close()

    def _round(self) -> None:
        """The index, some of its pages, some of their files."""
        root = f"{self._prefix}/simple/"
        index = self._get(root, "index")
        if index is None:
            return
        names = _names(index, root)
        for name in self._chance.sample(names, min(len(names), _PAGES_AN_INDEX)):
            path = f"{root}{name}/"
            page = self._get(path, "page", missing_is_wrong=False)
            if page is None:
                self._judge_missing(root, name, index)
                continue
            links = _links(page, path)
            for link in self._chance.sample(links, min(len(links), _FILES_A_PAGE)):
                self._read_file(path, link)

    def _judge_missing(self, root: str, name: str, before: Reply) -> None:
        """A page may go between two reads when the index stops listing it, and then only."""
        after = self._get(root, "index", accept=before.content_type)
        if after is None or name not in _names(after, root):
            return
        if after.etag == before.etag or self._get(f"{root}{name}/", "page", missing_is_wrong=False) is None:
            self._findings.add("listed without a page", f"the index lists {name}, whose page is 404")

    def _read_file(self, page: str, link: Link) -> None:
        reply = self._get(link.path, "file")
        if reply is not None:
            digest = hashlib.sha256(reply.body).hexdigest()
            if digest != link.sha256 or link.size not in (None, len(reply.body)):
                self._findings.add("dangling link", f"{page} links {link.path}, which has other bytes")
        if link.metadata_sha256 is not None:
            metadata = self._get(f"{link.path}.metadata", "metadata")
            if metadata is not None and hashlib.sha256(metadata.body).hexdigest() != link.metadata_sha256:
                self._findings.add("dangling link", f"{link.path}.metadata has other bytes than {page} says")

    def _get(
        self, path: str, kind: str, *, accept: str | None = None, missing_is_wrong: bool = True
    ) -> Reply | None:
        """The answer, None for any but 200."""
        headers = {"Accept": accept or self._chance.choice(_ACCEPT)}
        if self._chance.random() < 0.5:
            headers["Accept-Encoding"] = "gzip"
        reply = self._ask(path, headers)
        with self._findings.guard:
            self._findings.reads[kind] += 1
        with self._counted.get_lock():
            self._counted.value += 1
        if reply.status >= 500:
            self._findings.add(f"{reply.status}", path)
        elif reply.status != 200 and (missing_is_wrong or reply.status != 404):
            self._findings.add("dangling link", f"{path} is {reply.status}")
        if reply.status != 200:
            return None
        self._findings.note_tag(path, reply)
        return reply

    def _ask(self, path: str, headers: dict[str, str]) -> Reply:
        """One request; a kept connection that turns out to be closed is opened again once."""
        kept = self._connection is not None
        try:
            return self._ask_once(path, headers)
        except _CLOSED:
            self._close()
            if not kept:
                raise
            return self._ask_once(path, headers)

    def _ask_once(self, path: str, headers: dict[str, str]) -> Reply:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            self._connection.request("GET", path, headers=headers)
            response = self._connection.getresponse()
            body = response.read()
        except http.client.IncompleteRead as error:
            self._close()
            raise Torn(f"{path}: {error}") from error
        if response.headers.get("Content-Encoding") == "gzip":
            try:
                body = gzip.decompress(body)
            except (OSError, EOFError) as error:
                raise Torn(f"{path}: {error}") from error
        return Reply(
            status=response.status,
            etag=response.headers.get("ETag"),
            content_type=response.headers.get_content_type(),
            body=body,
        )

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Anchors(HTMLParser):
    """The attributes of every anchor; ``whole`` once the document has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.whole = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        self.whole = self.whole or tag == "html"


def _names(index: Reply, base: str) -> list[str]:
    """Normalized names, from the addresses of the links where there are such."""
    if index.content_type == _JSON:
        return [_normalized(project["name"]) for project in _document(index, base)["projects"]]
    return [urljoin(base, href).rstrip("/").rpartition("/")[2] for href in _hrefs(_anchors(index, base))]


def _links(page: Reply, base: str) -> list[Link]:
    if page.content_type == _JSON:
        return [
            Link(
                path=urlsplit(urljoin(base, file["url"])).path,
                sha256=file["hashes"]["sha256"],
                size=file["size"],
                metadata_sha256=file["core-metadata"]["sha256"] if file["core-metadata"] else None,
            )
            for file in _document(page, base)["files"]
        ]
    return [_html_link(anchor, base) for anchor in _anchors(page, base)]


def _html_link(anchor: dict[str, str | None], base: str) -> Link:
    address, fragment = urldefrag(urljoin(base, anchor.get("href") or ""))
    metadata = anchor.get("data-core-metadata")
    return Link(
        path=urlsplit(address).path,
        sha256=fragment.removeprefix("sha256="),
        size=None,
        metadata_sha256=metadata.removeprefix("sha256=") if metadata else None,
    )


def _document(reply: Reply, path: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(reply.body)
    except ValueError as error:
        raise Torn(f"{path}: {error}") from error
    return document


def _anchors(reply: Reply, path: str) -> list[dict[str, str | None]]:
    parser = _Anchors()
    parser.feed(reply.body.decode())
    if not parser.whole:
        raise Torn(f"{path}: the HTML has no end")
    return parser.found


def _hrefs(anchors: list[dict[str, str | None]]) -> Iterator[str]:
    for anchor in anchors:
        yield unquote(anchor.get("href") or "")


def _normalized(name: str) -> str:
    return name.lower().replace(".", "-").replace("_", "-")


class Hammer:
    """The process with the readers; ``reads`` grows while they read."""

    def __init__(self, port: int, prefix: str, readers: int, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._counted: Synchronized[int] = context.Value("q", 0)
        self._stop = context.Event()
        self._answers, theirs = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_read,
            args=(port, prefix, readers, seed, self._counted, self._stop, theirs),
            name="readers",
        )

    @property
    def reads(self) -> int:
        return self._counted.value

    def start(self) -> None:
        self._process.start()

    def stop(self) -> Findings:
        """Ends the readers; what they found."""
        self._stop.set()
        wrong, reads = self._answers.recv()
        self._process.join()
        return Findings(wrong=wrong, reads=reads)


def _read(
    port: int,
    prefix: str,
    readers: int,
    seed: int,
    counted: "Synchronized[int]",
    stop: StopEvent,
    answers: Connection,
) -> None:
    findings = Findings()
    threads = [
        threading.Thread(target=Reader(port, prefix, seed + number, findings, counted).run, args=(stop,))
        for number in range(readers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.send((findings.wrong, findings.reads))
