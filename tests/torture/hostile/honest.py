"""The decent part of a hostile upstream: projects that must come through, and what pages are made of."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from tests.torture.hostile.server import Answer, page

NAMES = ("honest-a", "Honest.B", "honest-c")
# Upstream's serial at the end, after whatever it said before.
LATER = 40
METADATA = b"Metadata-Version: 2.1\nName: honest\nVersion: 1.0\n"
PROVENANCE = b'{"version": 1, "attestation_bundles": []}'


def content(name: str) -> bytes:
    return f"the bytes of {name}\n".encode() * 50


def file(filename: str, body: bytes | None = None, /, **changes: Any) -> dict[str, Any]:
    """An entry of ``files``, right in everything but ``changes``; a change to None takes the key away."""
    body = content(filename) if body is None else body
    entry = {
        "filename": filename,
        "url": f"../../files/{filename}",
        "hashes": {"sha256": hashlib.sha256(body).hexdigest()},
        "size": len(body),
        "upload-time": "2025-03-01T12:00:00.172437Z",
        "yanked": False,
    } | changes
    return {key: value for key, value in entry.items() if value is not None}


def document(name: str, /, *files: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A project page, right in everything but ``changes``."""
    return {
        "meta": {"api-version": "1.4", "_last-serial": 7},
        "name": name,
        "versions": ["1.0"],
        "files": list(files),
    } | changes


def project(name: str, *, serial: int = 7, yanked: str | bool = False) -> dict[str, Answer]:
    """The page of a project and its one file, with metadata and provenance."""
    normalized = name.lower().replace(".", "-")
    filename, place = filename_of(name), place_of(name)
    metadata = {"sha256": hashlib.sha256(METADATA).hexdigest()}
    entry: dict[str, Any] = {
        "url": f"../../{place}",
        "core-metadata": metadata,
        "provenance": f"../../{place}.provenance",
        "yanked": yanked,
    }
    meta = {"api-version": "1.4", "_last-serial": serial}
    return {
        f"/simple/{normalized}/": page(document(name, file(filename, **entry), meta=meta)),
        f"/{place}": Answer(body=content(filename), content_type="application/gzip"),
        f"/{place}.metadata": Answer(body=METADATA, content_type="text/plain"),
        f"/{place}.provenance": Answer(body=PROVENANCE, content_type="application/json"),
    }


def filename_of(name: str) -> str:
    return f"{name.lower().replace('.', '_').replace('-', '_')}-1.0.tar.gz"


def place_of(name: str) -> str:
    """Where its file is, below the root: laid out as PyPI's are, so that its place in a pool is the same."""
    filename = filename_of(name)
    digest = hashlib.sha256(filename.encode()).hexdigest()
    return f"packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{filename}"


def root(names: Iterable[str], *, serial: int = 7) -> Answer:
    """The root index."""
    return root_of(dict.fromkeys(names, serial), serial=serial)


def root_of(serials: Mapping[str, int | None], *, serial: int) -> Answer:
    """The root index as of ``serial``, with the projects at ``serials``; None is for none."""
    projects = [
        {"name": name} | ({} if own is None else {"_last-serial": own}) for name, own in serials.items()
    ]
    return page({"meta": {"api-version": "1.4", "_last-serial": serial}, "projects": projects})


def upstream(*more: str, later: bool = False, is_html: bool = False) -> dict[str, Answer]:
    """The honest projects, and a root index that lists ``more`` beside them. No XML-RPC.

    ``later`` is after the file of the first was yanked.
    """
    serials: dict[str, int | None] = dict.fromkeys([*NAMES, *more], 7)
    if later:
        serials[NAMES[0]] = LATER
    answers = {"/simple/": root_of(serials, serial=LATER if later else 7)}
    if is_html:
        links = "".join(f'<a href="/simple/{name.lower().replace(".", "-")}/">{name}</a>' for name in serials)
        body = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        answers["/simple/"] = Answer(body=body, content_type="text/html")
    for name in NAMES:
        answers |= project(name)
    if later:
        answers |= project(NAMES[0], serial=LATER, yanked="taken back")
    return answers
