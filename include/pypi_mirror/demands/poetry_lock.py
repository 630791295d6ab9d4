"""poetry.lock, lock-version 1 and 2: https://python-poetry.org/docs/basic-usage/#installing-with-poetrylock
and, for the fields, https://github.com/python-poetry/poetry/blob/main/src/poetry/packages/locker.py.
"""

from collections.abc import Mapping
from typing import Any, Final

from pypi_mirror.demands.demand import DIRECT, LOCAL, VERSION_CONTROL, Demands, Found
from pypi_mirror.demands.document import either, expect, get, parse_toml, tables

_MAJORS: Final = ("1", "2")
# ``legacy`` is an index that the project names.
_ELSEWHERE: Final = {"git": VERSION_CONTROL, "url": DIRECT, "file": LOCAL, "directory": LOCAL}


def read(text: str, file: str) -> Demands:
    found = Found(file=file)
    document = parse_toml(text, found)
    metadata = get(document, "metadata", dict, {}, found)
    version = str(metadata.get("lock-version", "1.0"))
    if version.partition(".")[0] not in _MAJORS or not metadata:
        found.fail(f"is a poetry.lock of version {version}; 1 and 2 can be read")
    # Until lock-version 1.1, files are by project at the end.
    files = get(metadata, "files", dict, {}, found)
    for package in tables(document, "package", found):
        _read_package(package, files, found)
    return found.done()


def _read_package(package: Mapping[str, Any], files: Mapping[str, Any], found: Found) -> None:
    name = get(package, "name", str, "", found)
    source = get(package, "source", dict, {}, found)
    kind = get(source, "type", str, "legacy", found)
    if kind != "legacy":
        found.leave_out(name, _ELSEWHERE.get(kind, f"unknown source type {kind}"))
        return
    of_package = list(
        tables(package if "files" in package else files, "files" if "files" in package else name, found)
    )
    found.lock(
        name,
        package.get("version"),
        hashes=tuple(sorted(found.hash(name, file.get("hash")) for file in of_package)),
        marker=_marker(package, found),
        index=source.get("url"),
    )


def _marker(package: Mapping[str, Any], found: Found) -> str:
    """Return the marker; since 2.1 it can be one for each group, and a group without one needs it always."""
    markers = package.get("markers", "")
    if isinstance(markers, str):
        return markers
    by_group = expect(markers, dict, "markers", found)
    groups = get(package, "groups", list, list(by_group), found)
    return either([expect(by_group.get(group, ""), str, "markers", found) for group in groups])
