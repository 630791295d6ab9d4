"""Does a mirror keep what DESIGN's invariants promise? Looks at the disk, the pages and the ledger alike.

:func:`audit` compares the mirror with itself, :func:`compare` its pages with upstream's. Both raise
AssertionError that says what does not fit. Pages are read by our own parsers and by pypi_simple.
"""

import gzip
import hashlib
import json
import time
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pypi_simple
import requests
from packaging.utils import NormalizedName

from pypi_mirror.disk.files import size_of
from pypi_mirror.ledger.projects import KnownFile, KnownProject
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import ProjectPage
from pypi_mirror.policy import Context
from pypi_mirror.upstream import simple_html, simple_json
from pypi_mirror.upstream.changelog import changes_content
from tests.runs.bench import Bench

# As a bench is set: provenance links are absolute, and no page leads from outside to an internal address.
_SITE = "http://localhost:8080/pypi"
_JSON = "application/vnd.pypi.simple.v1+json"
_FORMATS = {"ALL": ("index.html", "index.v1_json"), "HTML": ("index.html",), "JSON": ("index.v1_json",)}


def audit(bench: Bench, *, published: bool = True, orphans: bool = False) -> None:
    """Pages, ledger and disk agree in every file. Without ``published`` the root index may be behind.

    With ``orphans`` the pool may hold files that nobody knows: a project that failed had got them, and
    upstream removed them before its next try. The engine's own audit finds those.
    """
    with bench.open() as mirror:
        known = [project for project in mirror.ledger.projects.all() if project.present]
        rows = mirror.ledger.projects.files_of([project.id for project in known])
        listed = {project.project: _listed(rows[project.id]) for project in known}
        for project in known:
            _audit_project(bench, project, listed[project.project])
        if published:
            if not orphans:
                _audit_pool(bench, mirror, listed)
            assert mirror.ledger.facts.unpublished is None
            _audit_directories(bench, known)
            _audit_root_index(bench, mirror)
        _audit_cursor(bench, mirror)
    _audit_leftovers(bench)


def audit_served(bench: Bench) -> None:
    """At any moment, in mid-crash too: what a reader can see is right, whatever the ledger knows of it."""
    for path in (bench.web / "simple").rglob("*/index.*"):
        if path.suffix == ".gz":
            gzip.decompress(path.read_bytes())
            continue
        name = _normalized(path.parent.name)
        url = f"{_SITE}/simple/{name}/"
        parse = simple_json if path.name == "index.v1_json" else simple_html
        page = parse.parse_project_page(
            path.read_bytes(), url=url, project=name, header_serial=None, etag=None
        )
        for file in page.files:
            content = (bench.web / unquote(urlsplit(file.url).path).removeprefix("/pypi/")).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file.sha256, f"{path} lists what is not there"
    index = bench.web / "simple/index.v1_json"
    if index.exists():
        _, entries = simple_json.parse_root_index(index.read_bytes(), url=f"{_SITE}/simple/")
        for entry in entries:
            assert (bench.page_directory(entry.project) / "index.v1_json").exists(), entry.name
    with bench.open() as mirror:
        _audit_cursor(bench, mirror, crashed=True)


def compare(bench: Bench) -> None:
    """Our pages equal upstream's apart from the filter and the links; nothing is missing, nothing more."""
    upstream = requests.get(
        f"{bench.server.url}{bench.server.routes.behaviour.base}",
        headers={"Accept": _JSON},
        timeout=10,
        auth=_login(bench),
    )
    is_json = upstream.headers["Content-Type"] == _JSON
    if is_json:
        names = {p["name"] for p in upstream.json()["projects"]}
    else:
        names = set(pypi_simple.IndexPage.from_html(upstream.text).projects)
    selector = bench.policy
    wanted = {
        name: _normalized(name) for name in names if selector.rejection_reason(_normalized(name)) is None
    }
    index = json.loads((bench.web / "simple/index.v1_json").read_bytes())
    assert {p["name"] for p in index["projects"]} == set(wanted)
    for name in wanted.values():
        compare_page(bench, name)


def _login(bench: Bench) -> tuple[str, str] | None:
    user, _, password = (bench.server.routes.behaviour.login or "").partition(":")
    return (user, password) if user else None


def compare_page(bench: Bench, name: str) -> None:
    """Our page of ``name`` equals upstream's, apart from the filter and the links."""
    url = f"{bench.server.url}{bench.server.routes.behaviour.base}{name}/"
    answer = requests.get(url, headers={"Accept": _JSON}, timeout=10, auth=_login(bench))
    assert answer.status_code == 200, f"{name}: upstream answers {answer.status_code}"
    normalized = _normalized(name)
    if answer.headers["Content-Type"] == _JSON:
        theirs = simple_json.parse_project_page(
            answer.content, url=url, project=normalized, header_serial=None, etag=None
        )
        their_other = pypi_simple.ProjectPage.from_json_data(answer.json(), base_url=url)
    else:
        theirs = simple_html.parse_project_page(
            answer.content, url=url, project=normalized, header_serial=None, etag=None
        )
        their_other = pypi_simple.ProjectPage.from_html(name, answer.text, base_url=url)
    # No file is in cooldown any more.
    now = int(bench.clock.now)
    decision = bench.policy.decide(theirs, Context(as_of=now, planned_at=now))
    kept = {file.filename for file in decision.kept}
    ours, our_other = _our_json(bench, normalized)
    is_json = answer.headers["Content-Type"] == _JSON
    made = _made_metadata(bench, ours, theirs)
    assert _said(ours, common=not is_json) == _said(theirs, kept, common=not is_json, made=made), name
    assert _other_said(our_other, common=not is_json) == _other_said(
        their_other, kept, common=not is_json, made=made
    ), name
    if not decision.dropped:
        assert ours.versions == theirs.versions or not theirs.versions
    if "index.html" in _FORMATS[bench.settings.simple_format]:
        _, html = _our_html(bench, normalized)
        # HTML knows no sizes and no upload times.
        assert _other_said(html, common=True) == _other_said(their_other, kept, common=True, made=made), name
        assert html.status == our_other.status


def _made_metadata(bench: Bench, ours: ProjectPage, theirs: ProjectPage) -> set[str]:
    """The wheels whose metadata we serve and upstream does not: what each of them holds, no other bytes."""
    if not bench.settings.core_metadata:
        return set()
    bare = {file.filename for file in theirs.files if file.core_metadata is None}
    made = {file.filename: file for file in ours.files if file.core_metadata and file.filename in bare}
    for filename, file in made.items():
        held = bench.server.warehouse.file(filename).distribution.core_metadata()
        assert file.core_metadata == (("sha256", hashlib.sha256(held).hexdigest()),), filename
    return set(made)


def _said(
    page: ProjectPage,
    kept: set[str] | None = None,
    *,
    common: bool = False,
    made: AbstractSet[str] = frozenset(),
) -> dict[str, Any]:
    """What a page says; ``common`` leaves out what only JSON can: sizes and upload times.

    The files ``made`` have metadata that upstream does not serve.
    """
    return {
        "status": page.status,
        "files": {
            file.filename: (
                file.sha256, file.requires_python, file.yanked,
                file.core_metadata is not None or file.filename in made,
                file.provenance is not None, *(() if common else (file.size, file.upload_time)),
            )
            for file in page.files
            if kept is None or file.filename in kept
        },
    }  # fmt: skip


def _other_said(
    page: pypi_simple.ProjectPage,
    kept: set[str] | None = None,
    *,
    common: bool = False,
    made: AbstractSet[str] = frozenset(),
) -> dict[str, Any]:
    return {
        package.filename: (
            package.digests.get("sha256"), package.requires_python, package.is_yanked,
            package.yanked_reason or None, bool(package.has_metadata) or package.filename in made,
            package.version,
            *(() if common else (package.size, package.upload_time)),
        )
        for package in page.packages
        if kept is None or package.filename in kept
    }  # fmt: skip


def _listed(rows: dict[str, KnownFile]) -> dict[str, KnownFile]:
    return {name: file for name, file in rows.items() if file.removed_at is None}


def _audit_project(bench: Bench, project: KnownProject, rows: dict[str, KnownFile]) -> None:
    directory = bench.page_directory(project.project)
    formats = _FORMATS[bench.settings.simple_format]
    assert {path.name for path in directory.iterdir() if path.is_file()} == {
        *formats,
        *(f"{name}.gz" for name in formats),
    }, f"{directory} holds other files than it should"
    for name in formats:
        _assert_twin(directory / name)
    pages: list[ProjectPage | pypi_simple.ProjectPage] = []
    if "index.v1_json" in formats:
        pages += _our_json(bench, project.project)
    if "index.html" in formats:
        pages += _our_html(bench, project.project)
    for page in pages:
        files = page.files if isinstance(page, ProjectPage) else page.packages
        assert {file.filename for file in files} == set(rows), f"{project.project}: page and ledger differ"
    assert project.files == len(rows)
    if bench.settings.simple_format != "HTML":
        _audit_files(bench, _our_json(bench, project.project)[0], rows)


def _audit_files(bench: Bench, page: ProjectPage, rows: dict[str, KnownFile]) -> None:
    for file in page.files:
        row = rows[file.filename]
        assert file.sha256 == row.sha256.hex()
        assert (file.core_metadata is not None) == (row.metadata_sha256 is not None)
        assert (file.provenance is not None) == row.provenance
        path = unquote(urlsplit(file.url).path).removeprefix("/pypi/")
        assert path.endswith(row.path), f"{file.url} leads elsewhere than {row.path}"
        if not bench.settings.release_files:
            continue
        on_disk = bench.web / row.path
        content = on_disk.read_bytes()
        assert len(content) == row.size == file.size, on_disk
        assert hashlib.sha256(content).hexdigest() == file.sha256, on_disk
        if row.metadata_sha256 is not None:
            metadata = Path(f"{on_disk}.metadata").read_bytes()
            assert hashlib.sha256(metadata).digest() == row.metadata_sha256
        assert (size_of(f"{on_disk}.provenance") is not None) == row.provenance


def _audit_pool(bench: Bench, mirror: Mirror, listed: dict[NormalizedName, dict[str, KnownFile]]) -> None:
    """Nothing lies in the pool that the ledger does not know, as a listed file or as a tombstone.

    What a project on the backlog has got so far waits there for the next try.
    """
    tombstones = mirror.ledger.projects.tombstones(1 << 40, 1_000_000)
    known = {file.path for rows in listed.values() for file in rows.values()}
    known |= {file.path for _, file in tombstones}
    backlog = {entry.project for entry in mirror.ledger.backlog.failed()}
    known |= {
        path
        for path, file in bench.server.warehouse.files.items()
        if _normalized(file.distribution.name) in backlog
    }
    for path in (bench.web / "packages").rglob("*"):
        if path.is_file() and not path.name.startswith(".tmp-"):
            name = path.relative_to(bench.web).as_posix()
            if name == "packages/.identity":
                continue
            assert name.removesuffix(".metadata").removesuffix(".provenance") in known, f"nobody knows {path}"


def _audit_directories(bench: Bench, known: list[KnownProject]) -> None:
    found = {path.parent.name for path in (bench.web / "simple").glob("*/**/index.*")}
    assert found == {project.project for project in known}, "pages of projects the ledger does not have"


def _audit_root_index(bench: Bench, mirror: Mirror) -> None:
    expected = [(entry.name, entry.serial) for entry in mirror.ledger.projects.listed()]
    simple = bench.web / "simple"
    formats = _FORMATS[bench.settings.simple_format]
    assert {path.name for path in simple.iterdir() if path.is_file()} == {
        *formats,
        *(f"{name}.gz" for name in formats),
    }
    for name in formats:
        _assert_twin(simple / name)
    url = f"{_SITE}/simple/"
    if "index.v1_json" in formats:
        serial, entries = simple_json.parse_root_index((simple / "index.v1_json").read_bytes(), url=url)
        assert [(entry.name, entry.serial) for entry in entries] == expected
        cursor = mirror.ledger.facts.cursor
        assert serial is None or (cursor is not None and serial <= cursor)
    if "index.html" in formats:
        page = pypi_simple.IndexPage.from_html((simple / "index.html").read_bytes())
        assert page.projects == [name for name, _ in expected]


def _audit_cursor(bench: Bench, mirror: Mirror, *, crashed: bool = False) -> None:
    cursor = mirror.ledger.facts.cursor
    status = bench.settings.directory / "status"
    serial = bench.server.warehouse.serial
    if crashed and status.exists() and int(status.read_bytes()) == serial:
        # The file is written first: a crash between the two leaves the ledger behind.
        return
    if cursor is None:
        assert not status.exists()
        return
    assert cursor <= serial
    assert status.read_bytes() == f"{cursor}".encode()
    # Invariant 2: what an event up to the cursor speaks of is current or on the backlog.
    backlog = {entry.project for entry in mirror.ledger.backlog.all()}
    # That somebody requires it a run found out that died since: it has planned it, or the next one does.
    backlog.update(mirror.ledger.dependencies.changed())
    backlog.update(mirror.ledger.to_do.those_of([*map(_normalized, bench.server.warehouse.projects)]))
    told: dict[str, int] = {}
    for row in bench.server.warehouse.journal:
        if row.serial <= cursor and changes_content(row.action):
            told[_normalized(row.name)] = row.serial
    for name, project in bench.server.warehouse.projects.items():
        if mirror.policy.rejection_reason(name) is not None or name in backlog or name not in told:
            continue
        known = mirror.ledger.projects.known([name]).get(name)
        if known is None and project.quarantined:
            continue
        assert known is not None, f"{name} was dropped silently"
        assert known.present, f"{name} was removed and is there upstream"
        assert known.serial is None or known.serial >= told[name], f"{name} is at {known.serial}"


def _audit_leftovers(bench: Bench) -> None:
    recent = time.time() - 60
    for path in bench.settings.directory.rglob(".tmp-*"):
        # What a process writes into these directories is swept when it is a minute old.
        shared = (bench.web, bench.settings.directory, bench.settings.directory / "nginx")
        young = path.parent in shared and path.stat().st_mtime > recent
        assert young, f"{path} was left behind"


def _our_json(bench: Bench, name: NormalizedName) -> tuple[ProjectPage, pypi_simple.ProjectPage]:
    url = f"{_SITE}/simple/{name}/"
    content = (bench.page_directory(name) / "index.v1_json").read_bytes()
    page = simple_json.parse_project_page(content, url=url, project=name, header_serial=None, etag=None)
    return page, pypi_simple.ProjectPage.from_json_data(json.loads(content), base_url=url)


def _our_html(bench: Bench, name: NormalizedName) -> tuple[ProjectPage, pypi_simple.ProjectPage]:
    url = f"{_SITE}/simple/{name}/"
    content = (bench.page_directory(name) / "index.html").read_bytes()
    page = simple_html.parse_project_page(content, url=url, project=name, header_serial=None, etag=None)
    return page, pypi_simple.ProjectPage.from_html(name, content, base_url=url)


def _assert_twin(path: Path) -> None:
    assert gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes()) == path.read_bytes(), path


def _normalized(name: str) -> NormalizedName:
    return NormalizedName(name.lower().replace(".", "-").replace("_", "-"))
