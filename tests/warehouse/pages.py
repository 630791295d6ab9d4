"""The simple API's bodies (PEP 503, 592, 629, 658/714, 691, 700, 740, 792), byte for byte as upstream's."""

import json
from collections.abc import Iterable
from urllib.parse import quote

from packaging.utils import canonicalize_name

from tests.warehouse.behaviour import Behaviour, Hosts
from tests.warehouse.distributions import Declared
from tests.warehouse.model import File, Project, Release

API_VERSION = "1.4"
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;"})


def render_json(data: object) -> bytes:
    """Keys sorted, no spaces, UTF-8, a newline at the end."""
    return (json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


def index_json(projects: Iterable[Project], serial: int, behaviour: Behaviour) -> bytes:
    """The root index; quarantined projects are not in it."""
    listed = _listed(projects)
    if not behaviour.serials:
        return render_json(
            {"meta": {"api-version": API_VERSION}, "projects": [{"name": project.name} for project in listed]}
        )
    return render_json(
        {
            "meta": {"api-version": API_VERSION, "_last-serial": serial},
            "projects": [{"name": project.name, "_last-serial": project.serial} for project in listed],
        }
    )


def index_html(projects: Iterable[Project], behaviour: Behaviour) -> bytes:
    links = "".join(
        f'<a href="{behaviour.base}{project.normalized}/">{_escape(project.name)}</a>\n'
        for project in _listed(projects)
    )
    head = f"{_html_head(behaviour)}    <title>Simple index</title>\n  </head>\n"
    return f"{head}  <body>\n{links}</body>\n</html>".encode()


def project_json(project: Project, hosts: Hosts, behaviour: Behaviour) -> bytes:
    meta: dict[str, object] = {"api-version": API_VERSION}
    if behaviour.serials:
        meta["_last-serial"] = project.page_serial
    releases = [release for release in project.visible_releases if release.files]
    return render_json(
        {
            "meta": meta,
            "name": project.normalized,
            "project-status": {"status": project.status},
            "versions": [release.version for release in releases],
            "files": [
                _file_json(project, release, file, hosts, behaviour)
                for release, file in _files_in_order(releases)
            ],
        }
    )


def _file_json(
    project: Project, release: Release, file: File, hosts: Hosts, behaviour: Behaviour
) -> dict[str, object]:
    core_metadata = {"sha256": file.metadata_sha256} if file.metadata_sha256 else False
    pep_658 = {"data-dist-info-metadata": core_metadata, "core-metadata": core_metadata}
    return {
        "filename": file.filename,
        "url": file_url(file, hosts),
        "hashes": {"sha256": file.sha256},
        "requires-python": release.requires_python or None,
        "size": file.size,
        "upload-time": upload_time(file),
        "yanked": (release.yanked_reason or True) if release.yanked else False,
        **(pep_658 if behaviour.core_metadata else {}),
        "provenance": provenance_url(project, release, file, hosts) if file.provenance else None,
    }


def project_html(project: Project, hosts: Hosts, behaviour: Behaviour) -> bytes:
    releases = project.visible_releases
    links = "".join(
        _link(project, release, file, hosts, behaviour) for release, file in _files_in_order(releases)
    )
    status = f'<meta name="pypi:project-status" content="{project.status}">' if behaviour.json_pages else ""
    title = f"Links for {project.normalized}"
    end = f"\n<!--SERIAL {project.page_serial}-->" if behaviour.serials else ""
    return (
        f"{_html_head(behaviour)}{status}    <title>{title}</title>\n  </head>\n  <body>\n"
        f"    <h1>{title}</h1>\n{links}</body>\n</html>{end}"
    ).encode()


def _link(project: Project, release: Release, file: File, hosts: Hosts, behaviour: Behaviour) -> str:
    """An anchor; an index that only knows PEP 503 and 592 leaves out what came later."""
    required = (
        f'data-requires-python="{_escape(release.requires_python)}" ' if release.requires_python else ""
    )
    yanked = f'data-yanked="{_escape(release.yanked_reason)}" ' if release.yanked else ""
    later = ""
    if behaviour.json_pages:
        if file.metadata_sha256 and behaviour.core_metadata:
            digest = f"sha256={file.metadata_sha256}"
            later += f'data-dist-info-metadata="{digest}" data-core-metadata="{digest}"'
        if file.provenance:
            later += f' data-provenance="{_escape(provenance_url(project, release, file, hosts))}"'
    address = _escape(f"{file_url(file, hosts)}#sha256={file.sha256}")
    return f'<a href="{address}" {required}{yanked}{later}>{_escape(file.filename)}</a><br />\n'


def file_url(file: File, hosts: Hosts) -> str:
    if isinstance(file.distribution, Declared) and file.distribution.url is not None:
        return file.distribution.url
    return f"{hosts.files}/{quote(file.path, safe=_PATH_SAFE)}"


def provenance_url(project: Project, release: Release, file: File, hosts: Hosts) -> str:
    path = f"{project.normalized}/{release.version}/{file.filename}"
    return f"{hosts.site}/integrity/{quote(path, safe=_PATH_SAFE)}/provenance"


def upload_time(file: File) -> str:
    """RFC 3339 in UTC, with a fraction only where there is one (PEP 700)."""
    return file.upload_time.replace(tzinfo=None).isoformat() + "Z"


_PATH_SAFE = "/~!$&'()*+,;=:@"


def _files_in_order(releases: Iterable[Release]) -> Iterable[tuple[Release, File]]:
    for release in releases:
        for file in sorted(release.files, key=lambda each: each.filename):
            yield release, file


def _listed(projects: Iterable[Project]) -> list[Project]:
    visible = [project for project in projects if not project.quarantined]
    return sorted(visible, key=lambda project: canonicalize_name(project.name))


def _html_head(behaviour: Behaviour) -> str:
    version = (
        f'    <meta name="pypi:repository-version" content="{API_VERSION}">\n' if behaviour.json_pages else ""
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n  <head>\n{version}'


def _escape(text: str) -> str:
    return text.translate(_ESCAPES)
