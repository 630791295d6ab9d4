"""The tree held against the stand-in's own state: what is lost, and what is wrong.

Knows nothing of the engine but where the tree and the backlog are, so that the two do not share a mistake;
`tests.runs.audit` is the other judge and knows the engine's ledger.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from tests.torture.campaign import Wrong
from tests.warehouse import Warehouse
from tests.warehouse.model import Project

_SITE = "http://mirror.example"


def check_tree(web: Path, warehouse: Warehouse, waiting: Collection[str]) -> Iterator[Wrong]:
    """Every project of upstream is served as upstream has it now, unless it is ``waiting`` on the backlog.

    And whatever is served has the bytes that upstream has under that address.
    """
    served: dict[str, Path] = {path.parent.name: path for path in (web / "simple").glob("*/index.v1_json")}
    for name, project in warehouse.projects.items():
        if name in waiting:
            continue
        if name in served:
            yield from _compare(name, project, _page(served[name]))
        elif not project.quarantined:
            yield Wrong(kind="project lost", detail=f"{name} is neither served nor on the backlog")
    for gone in sorted(served.keys() - warehouse.projects.keys() - set(waiting)):
        yield Wrong(kind="project not removed", detail=f"{gone} is served and gone upstream")
    for directory, path in served.items():
        for file in _page(path)["files"]:
            yield from _check_bytes(web, directory, file, warehouse)


def _page(path: Path) -> dict[str, Any]:
    page: dict[str, Any] = json.loads(path.read_bytes())
    return page


def _compare(name: str, project: Project, page: dict[str, Any]) -> Iterator[Wrong]:
    theirs = {file.filename: file.sha256 for release in project.visible_releases for file in release.files}
    ours = {file["filename"]: file["hashes"]["sha256"] for file in page["files"]}
    if ours != theirs:
        differing = sorted(set(ours.items()) ^ set(theirs.items()))
        yield Wrong(kind="project lost", detail=f"{name} is out of date, not on the backlog: {differing[:3]}")
    if page["project-status"]["status"] != project.status:
        yield Wrong(kind="project lost", detail=f"{name} should be {project.status}, not on the backlog")


def _check_bytes(web: Path, name: str, file: dict[str, Any], warehouse: Warehouse) -> Iterator[Wrong]:
    path = unquote(urlsplit(urljoin(f"{_SITE}/simple/{name}/", file["url"])).path).removeprefix("/")
    theirs = warehouse.files.get(path)
    if theirs is None:
        yield Wrong(kind="wrong bytes", detail=f"{name} links {path}, which upstream never had")
        return
    wanted = {"": theirs.sha256}
    if file["core-metadata"]:
        wanted[".metadata"] = str(theirs.metadata_sha256)
    if file["provenance"] is not None:
        wanted[".provenance"] = hashlib.sha256(str(theirs.provenance).encode()).hexdigest()
    for suffix, digest in wanted.items():
        on_disk = web / f"{path}{suffix}"
        actual = hashlib.sha256(on_disk.read_bytes()).hexdigest() if on_disk.is_file() else "missing"
        if actual != digest:
            yield Wrong(kind="wrong bytes", detail=f"{on_disk} is {actual}, upstream has {digest}")
