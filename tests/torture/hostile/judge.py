"""What a hostile upstream must not have done: beside the mirror, to its pages, to other projects."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pypi_mirror.errors import WebServerError
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.name_map import NORMALIZED, SPELLED, write_name_map
from pypi_mirror.webserver.reload import write_site
from pypi_mirror.webserver.render import name_map_path
from tests.torture.campaign import Wrong
from tests.torture.hostile.honest import METADATA, NAMES, PROVENANCE, content, filename_of

_ELEMENTS = frozenset({"html", "head", "meta", "title", "body", "h1", "a", "br"})
_ATTRIBUTES = frozenset(
    {
        "lang", "name", "content", "href", "data-requires-python", "data-yanked", "data-core-metadata",
        "data-dist-info-metadata", "data-provenance", "data-gpg-sig",
    }
)  # fmt: skip
_POOLED = re.compile(r"packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/[^/]{1,240}")
_MAP_LINE = re.compile(rf"""(?:{SPELLED} {NORMALIZED}|"" ):[0-9]*;""")
_OWN = frozenset(
    {
        "ledger.sqlite",
        "ledger.sqlite-wal",
        "ledger.sqlite-shm",
        "status",
        "generation",
        "state",
        "web",
        "nginx",
    }
)


def surroundings(base: Path, mirror: Path) -> dict[str, str]:
    """Everything below ``base`` that is not the mirror, with the digest of its bytes."""
    found: dict[str, str] = {}
    for parent, directories, files in os.walk(base):
        if Path(parent) == mirror.parent:
            directories[:] = [name for name in directories if name != mirror.name]
        for name in (*directories, *files):
            path = Path(parent) / name
            found[str(path)] = (
                hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
            )
    return found


def judge_tree(settings: Settings) -> Iterator[Wrong]:
    """The honest projects are served, everything that is served is sound, and nothing lies elsewhere."""
    yield from _judge_honest(settings.web)
    yield from _judge_places(settings)
    for path in sorted((settings.web / "simple").rglob("index.html")):
        yield from _judge_html(path)
    for path in sorted((settings.web / "simple").glob("*/index.v1_json")):
        yield from _judge_json(settings.web, path)
    yield from _judge_map(settings)


def _judge_honest(web: Path) -> Iterator[Wrong]:
    for name in NAMES:
        normalized = _normalized(name)
        filename = filename_of(name)
        try:
            page = json.loads((web / "simple" / normalized / "index.v1_json").read_bytes())
            (file,) = page["files"]
        except (OSError, ValueError, KeyError) as error:
            yield Wrong(kind="another project affected", detail=f"{name} is not served: {error!r}")
            continue
        on_disk = web / unquote(urlsplit(file["url"]).path).removeprefix("../../")
        if file["filename"] != filename or on_disk.read_bytes() != content(filename):
            yield Wrong(kind="another project affected", detail=f"{name} has other bytes, at {on_disk}")
        for suffix, key, right in (
            (".metadata", "core-metadata", METADATA),
            (".provenance", "provenance", PROVENANCE),
        ):
            sidecar = on_disk.with_name(f"{filename}{suffix}")
            if not file.get(key) or not sidecar.is_file() or sidecar.read_bytes() != right:
                detail = f"{name} has other or no {key}, at {sidecar}"
                yield Wrong(kind="another project affected", detail=detail)
    index = json.loads((web / "simple/index.v1_json").read_bytes())
    # In whatever spelling: that is upstream's to choose.
    if missing := {_normalized(name) for name in NAMES} - {_normalized(p["name"]) for p in index["projects"]}:
        yield Wrong(kind="another project affected", detail=f"the root index does not list {missing}")


def _normalized(name: str) -> str:
    return re.sub("[._-]+", "-", name).lower()


def _judge_places(settings: Settings) -> Iterator[Wrong]:
    own = {path.name for path in settings.directory.iterdir()}
    if foreign := own - _OWN:
        yield Wrong(kind="written elsewhere", detail=f"{settings.directory} holds {sorted(foreign)}")
    for path in settings.web.rglob("*"):
        inside = path.relative_to(settings.web).as_posix()
        if path.is_symlink():
            yield Wrong(kind="written elsewhere", detail=f"{inside} is a symbolic link")
        elif (
            inside.startswith("packages/")
            and path.is_file()
            and inside != "packages/.identity"
            and not _POOLED.fullmatch(inside)
        ):
            yield Wrong(kind="written elsewhere", detail=f"{inside!r} is no place for a file")


class _Strict(HTMLParser):
    """Sees what a browser would see; ``strange`` is what no page of a mirror has."""

    def __init__(self) -> None:
        super().__init__()
        self.strange: list[str] = []
        self.ended = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _ELEMENTS:
            self.strange.append(f"<{tag}>")
        self.strange += [f"{tag} {name}=" for name, _ in attrs if name not in _ATTRIBUTES]
        for name, value in attrs:
            if name == "href" and urlsplit(value or "").scheme not in ("", "http", "https"):
                self.strange.append(f"href={value!r}")

    def handle_endtag(self, tag: str) -> None:
        self.ended = self.ended or tag == "html"

    def handle_comment(self, data: str) -> None:
        if not re.fullmatch(r"SERIAL \d+", data):
            self.strange.append(f"<!--{data}-->")

    def unknown_decl(self, data: str) -> None:
        self.strange.append(data)


def _judge_html(path: Path) -> Iterator[Wrong]:
    parser = _Strict()
    parser.feed(path.read_bytes().decode())
    parser.close()
    if parser.strange or not parser.ended:
        yield Wrong(kind="unescaped output", detail=f"{path}: {parser.strange or 'has no end'}")


def _judge_json(web: Path, path: Path) -> Iterator[Wrong]:
    """Strict JSON, whose files are on the disk with the digests that it says."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    try:
        page = json.loads(path.read_bytes(), parse_constant=refuse)
    except ValueError as error:
        yield Wrong(kind="unescaped output", detail=f"{path}: {error}")
        return
    for file in page["files"]:
        on_disk = web / unquote(urlsplit(file["url"]).path).removeprefix("../../")
        if hashlib.sha256(on_disk.read_bytes()).hexdigest() != file["hashes"]["sha256"]:
            yield Wrong(kind="wrong bytes", detail=f"{path} lists {on_disk}, which has other bytes")


def _judge_map(settings: Settings) -> Iterator[Wrong]:
    """Every line of nginx's map is a name and a name, and nginx takes it."""
    path = name_map_path(settings)
    if not path.exists():
        write_name_map(path, ())
    for line in path.read_text().splitlines():
        if not line.startswith("#") and not _MAP_LINE.fullmatch(line):
            yield Wrong(kind="unescaped output", detail=f"{path}: {line!r}")
    try:
        write_site(settings)
    except WebServerError as error:
        yield Wrong(kind="unescaped output", detail=f"nginx refuses its configuration: {error}")
