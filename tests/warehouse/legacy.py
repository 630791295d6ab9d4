"""The bodies of upstream's older JSON API: ``/pypi/<name>/json`` and ``/pypi/<name>/<version>/json``."""

from packaging.version import Version

from tests.warehouse.behaviour import Hosts
from tests.warehouse.model import File, Project, Release
from tests.warehouse.pages import file_url, render_json, upload_time


def latest_release(project: Project) -> Release | None:
    """Prefers what is not yanked, then what is no prerelease, then the newest version."""

    def preference(release: Release) -> tuple[bool, bool, tuple[bool, Version | str]]:
        version = release.order[1]
        prerelease = not isinstance(version, Version) or version.is_prerelease
        return not release.yanked, not prerelease, release.order

    return max(project.visible_releases, key=preference, default=None)


def legacy_json(project: Project, release: Release, hosts: Hosts, *, all_releases: bool) -> bytes:
    urls = _files(release, hosts)
    data: dict[str, object] = {
        "info": _info(project, release, hosts),
        "urls": urls,
        "vulnerabilities": [],
        "last_serial": project.page_serial,
        "ownership": {
            "roles": [
                {"role": role, "user": user}
                for role, user in sorted(project.roles, key=lambda each: (each[0] != "Owner", each[1]))
            ],
            "organization": None,
        },
    }
    if all_releases:
        data["releases"] = {each.version: _files(each, hosts) for each in project.visible_releases}
    return render_json(data)


def _files(release: Release, hosts: Hosts) -> list[dict[str, object]]:
    return [_file(release, file, hosts) for file in sorted(release.files, key=lambda each: each.filename)]


def _file(release: Release, file: File, hosts: Hosts) -> dict[str, object]:
    return {
        "filename": file.filename,
        "packagetype": file.packagetype,
        "python_version": file.distribution.python_version,
        "has_sig": False,
        "comment_text": None,
        "md5_digest": file.md5,
        "digests": {"md5": file.md5, "sha256": file.sha256, "blake2b_256": file.blake2b},
        "core-metadata": {"sha256": file.metadata_sha256} if file.metadata_sha256 else False,
        "size": file.size,
        "downloads": -1,
        "upload_time": file.upload_time.strftime("%Y-%m-%dT%H:%M:%S"),
        "upload_time_iso_8601": upload_time(file),
        "url": file_url(file, hosts),
        "requires_python": release.requires_python or None,
        "yanked": release.yanked,
        "yanked_reason": release.yanked_reason or None,
    }


def _info(project: Project, release: Release, hosts: Hosts) -> dict[str, object]:
    metadata = release.described_by.raw_metadata()
    keywords = metadata.get("keywords")
    platforms = metadata.get("platforms")
    return {
        "name": project.name,
        "version": release.version,
        "summary": metadata.get("summary"),
        "description_content_type": metadata.get("description_content_type"),
        "description": metadata.get("description", ""),
        "keywords": ",".join(keywords) if keywords else None,
        "license": metadata.get("license"),
        "license_expression": metadata.get("license_expression"),
        "license_files": metadata.get("license_files"),
        "classifiers": metadata.get("classifiers", []),
        "author": metadata.get("author"),
        "author_email": metadata.get("author_email"),
        "maintainer": metadata.get("maintainer"),
        "maintainer_email": metadata.get("maintainer_email"),
        "requires_python": release.requires_python,
        "platform": platforms[0] if platforms else None,
        "downloads": {"last_day": -1, "last_week": -1, "last_month": -1},
        "package_url": f"{hosts.site}/project/{project.name}/",
        "project_url": f"{hosts.site}/project/{project.name}/",
        "project_urls": metadata.get("project_urls") or None,
        "release_url": f"{hosts.site}/project/{project.name}/{release.version}/",
        "requires_dist": metadata.get("requires_dist") or None,
        "provides_extra": metadata.get("provides_extra") or None,
        "docs_url": None,
        "bugtrack_url": None,
        "home_page": metadata.get("home_page"),
        "download_url": metadata.get("download_url"),
        "yanked": release.yanked,
        "yanked_reason": release.yanked_reason or None,
        "dynamic": metadata.get("dynamic") or None,
    }
