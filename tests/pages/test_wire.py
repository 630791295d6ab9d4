"""Rendered with upstream's data and upstream's links, pages are upstream's own bytes.

The recordings lie beside the repository, where they are present; each is a request line, the response's
head, an empty line and the body.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import NormalizedName, canonicalize_name

from pypi_mirror.model import IndexEntry, MirroredPage, PooledFile, ProjectStatus, RemoteFile
from pypi_mirror.pages.project_page import render_html, render_json
from pypi_mirror.pages.root_index import write_root_index

WIRE = Path(__file__).parents[3] / "shared" / "wire"

pytestmark = pytest.mark.skipif(not WIRE.is_dir(), reason="the recordings are not here")


class UpstreamLinks:
    """Upstream's absolute addresses, as its page gave them."""

    def file(self, file: PooledFile) -> str:
        return file.remote.url

    def provenance(self, file: PooledFile) -> str:
        assert file.remote.provenance is not None
        return file.remote.provenance


def recorded_body(name: str) -> bytes:
    body = (WIRE / f"{name}.txt").read_bytes().partition(b"\n\n")[2]
    # Upstream's JSON ends in a newline and its HTML does not; the recorder ended every file with one.
    return body if name.endswith("_json") else body.removesuffix(b"\n")


def page_from(document: dict[str, Any]) -> MirroredPage:
    return MirroredPage(
        name=NormalizedName(document["name"]),
        serial=document["meta"]["_last-serial"],
        status=ProjectStatus(status=document["project-status"]["status"]),
        versions=tuple(document["versions"]),
        files=tuple(pooled_from(file) for file in document["files"]),
    )


def pooled_from(file: dict[str, Any]) -> PooledFile:
    metadata = file["core-metadata"]
    return PooledFile(
        remote=RemoteFile(
            filename=file["filename"],
            url=file["url"],
            hashes=tuple(file["hashes"].items()),
            size=file["size"],
            upload_time=file["upload-time"],
            requires_python=file["requires-python"],
            yanked=None if file["yanked"] is False else "" if file["yanked"] is True else file["yanked"],
            core_metadata=tuple(metadata.items()) if metadata else None,
            provenance=file["provenance"],
        ),
        path="packages/unused",
        size=file["size"],
        sha256=file["hashes"]["sha256"],
        metadata_sha256=metadata["sha256"] if metadata else None,
        provenance_sha256="f" * 64 if file["provenance"] is not None else None,
    )


@pytest.mark.parametrize(
    "kind", ["detail", "detail_provenance", "archived", "norelease", "quarantined"], ids=str
)
def test_json_is_upstreams(kind: str) -> None:
    body = recorded_body(f"simple_{kind}_json")

    assert render_json(page_from(json.loads(body)), UpstreamLinks()) == body


@pytest.mark.parametrize("kind", ["detail", "detail_provenance", "quarantined"], ids=str)
def test_html_is_upstreams(kind: str) -> None:
    page = page_from(json.loads(recorded_body(f"simple_{kind}_json")))

    assert render_html(page, UpstreamLinks()) == recorded_body(f"simple_{kind}_html")


def test_the_root_index_is_upstreams(tmp_path: Path) -> None:
    body = recorded_body("simple_index_json")
    recorded = json.loads(body)
    entries = [
        IndexEntry(
            name=project["name"], project=canonicalize_name(project["name"]), serial=project["_last-serial"]
        )
        for project in recorded["projects"]
    ]

    write_root_index(
        tmp_path,
        entries,
        serial=recorded["meta"]["_last-serial"],
        simple_format="ALL",
        link_prefix="/simple/",
    )

    assert (tmp_path / "simple/index.v1_json").read_bytes() == body
    assert (tmp_path / "simple/index.html").read_bytes() == recorded_body("simple_index_html")
