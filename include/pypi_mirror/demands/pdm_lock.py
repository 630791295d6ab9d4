"""pdm.lock, lock_version 4 and before: https://pdm-project.org/en/latest/usage/lockfile/ and, for the fields,
https://github.com/pdm-project/pdm/blob/main/src/pdm/project/lockfile/pdmlock.py.
"""

from collections.abc import Mapping
from typing import Any, Final

from pypi_mirror.demands.demand import DIRECT, LOCAL, VERSION_CONTROL, Demands, Found
from pypi_mirror.demands.document import get, parse_toml, tables

_NEWEST_MAJOR: Final = 4
_ELSEWHERE: Final = {
    "git": VERSION_CONTROL,
    "hg": VERSION_CONTROL,
    "svn": VERSION_CONTROL,
    "bzr": VERSION_CONTROL,
    "path": LOCAL,
    "url": DIRECT,
}


def read(text: str, file: str) -> Demands:
    found = Found(file=file)
    document = parse_toml(text, found)
    metadata = get(document, "metadata", dict, {}, found)
    version = str(metadata.get("lock_version", ""))
    major = version.partition(".")[0]
    if not major.isdecimal() or int(major) > _NEWEST_MAJOR:
        found.fail(
            f"is a pdm.lock of version {version or 'none'}; versions up to {_NEWEST_MAJOR} can be read"
        )
    # Until lock_version 4.3, files are by project and version at the end.
    files = get(metadata, "files", dict, {}, found)
    for package in tables(document, "package", found):
        _read_package(package, files, found)
    return found.done()


def _read_package(package: Mapping[str, Any], files: Mapping[str, Any], found: Found) -> None:
    name = get(package, "name", str, "", found)
    for key, reason in _ELSEWHERE.items():
        if key in package:
            found.leave_out(name, reason)
            return
    listed = "files" in package
    of_package = tables(
        package if listed else files, "files" if listed else f"{name} {package.get('version')}", found
    )
    found.lock(
        name,
        package.get("version"),
        hashes=tuple(sorted(found.hash(name, file.get("hash")) for file in of_package)),
        # Before 4.5 there was none.
        marker=get(package, "marker", str, "", found),
    )
