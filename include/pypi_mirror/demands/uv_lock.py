"""uv.lock: https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile and, for the fields,
https://github.com/astral-sh/uv/blob/main/crates/uv-resolver/src/lock/mod.rs.
"""

from collections.abc import Mapping
from typing import Any, Final

from pypi_mirror.demands.demand import DIRECT, LOCAL, VERSION_CONTROL, Demands, Found
from pypi_mirror.demands.document import either, get, parse_toml, tables, texts

# Revisions below it are compatible.
_VERSION: Final = 1
# The keys of ``source`` for what no index has.
_ELSEWHERE: Final = {
    "git": VERSION_CONTROL,
    "url": DIRECT,
    "path": LOCAL,
    "directory": LOCAL,
    "editable": LOCAL,
    "virtual": LOCAL,
}


def read(text: str, file: str) -> Demands:
    found = Found(file=file)
    document = parse_toml(text, found)
    if document.get("version") != _VERSION:
        found.fail(f"is a uv.lock of version {document.get('version')!r}; version {_VERSION} can be read")
    for package in tables(document, "package", found):
        _read_package(package, found)
    return found.done()


def _read_package(package: Mapping[str, Any], found: Found) -> None:
    name = get(package, "name", str, "", found)
    source = get(package, "source", dict, {}, found)
    for key, reason in _ELSEWHERE.items():
        if key in source:
            found.leave_out(name, reason)
            return
    registry = get(source, "registry", str, "", found)
    if "://" not in registry:
        found.leave_out(name, LOCAL if registry else "the lock file does not say where it comes from")
        return
    files = list(tables(package, "wheels", found))
    if "sdist" in package:
        files.append(get(package, "sdist", dict, {}, found))
    found.lock(
        name,
        package.get("version"),
        # The hash is missing where the index states none.
        hashes=tuple(sorted(found.hash(name, file["hash"]) for file in files if "hash" in file)),
        marker=either(list(texts(package, "resolution-markers", found))),
        index=registry,
    )
