"""Pipfile.lock, pipfile-spec 6: https://github.com/pypa/pipfile#pipfilelock and
https://pipenv.pypa.io/en/latest/pipfile.html.
"""

from collections.abc import Mapping
from typing import Any, Final

from pypi_mirror.demands.demand import (
    DIRECT,
    LOCAL,
    VERSION_CONTROL,
    Demand,
    Demands,
    Found,
    parse_requirement,
)
from pypi_mirror.demands.document import expect, get, parse_json, tables, texts

_SPEC: Final = 6
_ELSEWHERE: Final = {
    "git": VERSION_CONTROL,
    "hg": VERSION_CONTROL,
    "svn": VERSION_CONTROL,
    "bzr": VERSION_CONTROL,
    "file": DIRECT,
    "path": LOCAL,
}


def read(text: str, file: str) -> Demands:
    found = Found(file=file)
    document = parse_json(text, found)
    meta = get(document, "_meta", dict, {}, found)
    if meta.get("pipfile-spec") != _SPEC:
        found.fail(f"is a Pipfile.lock of pipfile-spec {meta.get('pipfile-spec')!r}; {_SPEC} can be read")
    indexes = {each.get("name"): each.get("url") for each in tables(meta, "sources", found)}
    # ``default``, ``develop`` and categories of packages, which have names of their own.
    for category, packages in document.items():
        if category == "_meta":
            continue
        for name, package in expect(packages, dict, category, found).items():
            _read_package(name, expect(package, dict, name, found), indexes, found)
    return found.done()


def _read_package(name: str, package: Mapping[str, Any], indexes: Mapping[Any, Any], found: Found) -> None:
    for key, reason in _ELSEWHERE.items():
        if key in package:
            found.leave_out(name, reason)
            return
    # ``*`` stands for what was not resolved: a requirement for other systems.
    version = get(package, "version", str, "*", found).strip()
    requirement = parse_requirement(f"{name}{'' if version == '*' else version}")
    if isinstance(requirement, str):
        found.fail(f"{version!r} is not a version of {name}: {requirement}; lock again")
    project = found.project(name)
    found.demand(
        Demand(
            project=project,
            specifier=str(requirement.specifier),
            marker=found.marker(project, get(package, "markers", str, "", found)),
            hashes=tuple(sorted(found.hash(name, text) for text in texts(package, "hashes", found))),
            index=indexes.get(package.get("index")),
            locked=True,
            place=found.place(),
        )
    )
