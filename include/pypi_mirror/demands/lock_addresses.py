"""The addresses in a lock file: of indexes and of files, found by format, and replaced in its text.

Nothing but these addresses changes: comments, order, spaces and line ends stay as the tool wrote them. The
fields are those of the readers beside this module, which cite the specifications.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from packaging.utils import NormalizedName, canonicalize_name

from pypi_mirror.demands.demand import Found
from pypi_mirror.demands.document import get, parse_json, parse_toml, tables

# A string of one line in TOML or JSON, with its quotes; what is escaped in it is compared after parsing.
_STRING: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"|\'([^\'\n]*)\'')


class LockedFile(Struct, frozen=True, kw_only=True):
    """A file that a lock names. ``url`` is None in formats that name files alone (poetry.lock), ``sha256`` is
    None where the index stated none, ``filename`` is None where only a digest is there (Pipfile.lock).
    ``index`` is the address of the index that the lock says it is from, None where it does not say.
    """

    project: NormalizedName
    url: str | None
    filename: str | None
    sha256: str | None
    index: str | None = None

    @property
    def name(self) -> str:
        return self.filename or f"sha256:{self.sha256}"


class LockAddresses(Struct, frozen=True, kw_only=True):
    """What a lock file names: ``indexes`` are addresses of indexes, each once."""

    indexes: tuple[str, ...]
    files: tuple[LockedFile, ...]


def lock_addresses(name: str, text: str) -> LockAddresses | None:
    """Return the addresses in the text of a lock file called ``name``; None if it is of no such format.

    The text was read by ``read_demands``, so that its fields have the right types. Raises BadDemands.
    """
    kind = _kind(name)
    if kind is None:
        return None
    found = Found(file=name)
    document = parse_json(text, found) if kind is _pipfile_lock else parse_toml(text, found)
    indexes: dict[str, None] = {}
    files: dict[LockedFile, None] = {}
    for each in kind(document, found):
        if isinstance(each, LockedFile):
            files[each] = None
        else:
            indexes[each] = None
    return LockAddresses(indexes=tuple(indexes), files=tuple(files))


def with_addresses(name: str, text: str, new: Mapping[str, str]) -> str:
    """Return the text with each address that ``new`` has replaced by its value.

    Raises BadDemands where a tool wrote an address in a way that is not found in the text.
    """

    def replaced(match: re.Match[str]) -> str:
        old = match[1] if match[1] is not None else match[2]
        return match[0] if old not in new else match[0][0] + new[old] + match[0][0]

    rewritten = _STRING.sub(replaced, text)
    load: Callable[[str], Any] = json.loads if _kind(name) is _pipfile_lock else tomllib.loads
    if load(rewritten) != _mapped(load(text), new):
        Found(file=name).fail("has an address that is written with escapes; lock again with a newer tool")
    return rewritten


def _mapped(value: Any, new: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(each, new) for key, each in value.items()}
    if isinstance(value, list):
        return [_mapped(each, new) for each in value]
    return new.get(value, value) if isinstance(value, str) else value


_Addresses = Iterator[str | LockedFile]


def _kind(name: str) -> Callable[[Mapping[str, Any], Found], _Addresses] | None:
    # As read.reader_of tells them apart, which raises for other names that end like this.
    if re.search(r"pylock(?:\.[^.]+)?\.toml\Z", name):
        return _pylock
    kinds = {
        "uv.lock": _uv_lock,
        "poetry.lock": _poetry_lock,
        "pdm.lock": _pdm_lock,
        "Pipfile.lock": _pipfile_lock,
    }
    return next((kind for ending, kind in kinds.items() if name.endswith(ending)), None)


def _uv_lock(document: Mapping[str, Any], found: Found) -> _Addresses:
    for package in tables(document, "package", found):
        registry = get(get(package, "source", dict, {}, found), "registry", str, "", found)
        if "://" not in registry:
            continue
        yield registry
        for file in _distributions(package, found):
            yield _file(package, file.get("url"), file.get("hash"), index=registry)


def _pylock(document: Mapping[str, Any], found: Found) -> _Addresses:
    for package in tables(document, "packages", found):
        if index := package.get("index"):
            yield index
        for file in _distributions(package, found):
            sha256 = file.get("hashes", {}).get("sha256")
            digest = sha256 and f"sha256:{sha256}"
            yield _file(package, file.get("url"), digest, file.get("name"), index=package.get("index"))


def _distributions(package: Mapping[str, Any], found: Found) -> Iterator[Mapping[str, Any]]:
    """The files of a package, as uv.lock and pylock.toml have them."""
    yield from tables(package, "wheels", found)
    if "sdist" in package:
        yield get(package, "sdist", dict, {}, found)


def _poetry_lock(document: Mapping[str, Any], found: Found) -> _Addresses:
    before_2 = get(get(document, "metadata", dict, {}, found), "files", dict, {}, found)
    for package in tables(document, "package", found):
        source = get(package, "source", dict, {}, found)
        if source.get("type", "legacy") != "legacy":
            continue
        if url := source.get("url"):
            yield url
        listed = "files" in package
        for file in tables(package if listed else before_2, "files" if listed else package["name"], found):
            yield _file(package, None, file.get("hash"), file.get("file"), index=source.get("url"))


def _pdm_lock(document: Mapping[str, Any], found: Found) -> _Addresses:
    before_4_3 = get(get(document, "metadata", dict, {}, found), "files", dict, {}, found)
    for package in tables(document, "package", found):
        if package.keys() & {"git", "hg", "svn", "bzr", "path", "url"}:
            continue
        listed = "files" in package
        key = "files" if listed else f"{package['name']} {package.get('version')}"
        for file in tables(package if listed else before_4_3, key, found):
            yield _file(package, file.get("url"), file.get("hash"), file.get("file"))


def _pipfile_lock(document: Mapping[str, Any], found: Found) -> _Addresses:
    sources = list(tables(get(document, "_meta", dict, {}, found), "sources", found))
    yield from (source["url"] for source in sources)
    by_name = {source.get("name"): source["url"] for source in sources}
    for category, packages in document.items():
        for name, package in packages.items() if category != "_meta" else ():
            for digest in package.get("hashes", ()):
                yield _file({"name": name}, None, digest, index=by_name.get(package.get("index")))


def _file(
    package: Mapping[str, Any],
    url: str | None,
    digest: str | None,
    filename: str | None = None,
    *,
    index: str | None = None,
) -> LockedFile:
    algorithm, _, value = (digest or "").lower().partition(":")
    if filename is None and url is not None:
        filename = unquote(urlsplit(url).path.rpartition("/")[2])
    return LockedFile(
        project=canonicalize_name(package["name"]),
        url=url,
        filename=filename,
        sha256=value if algorithm == "sha256" else None,
        index=index,
    )
