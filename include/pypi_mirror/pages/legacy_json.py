"""The documents of the older JSON API, ``/pypi/<name>/json`` and ``/pypi/<name>/<version>/json``.

They are upstream's, whose keys no PEP defines, except that they list what our page lists: the files that are
here, at their addresses here, and the releases that have any. What upstream says about a release
(``info``, ``vulnerabilities``) stays as it is. A document is a JSON object, decoded: so it travels from
upstream to the disk.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from packaging.version import InvalidVersion, Version

from pypi_mirror.model import MirroredPage, PooledFile
from pypi_mirror.pages.links import Links

Document = Mapping[str, Any]
Entries = Sequence[Mapping[str, Any]]

_encoder = msgspec.json.Encoder()


class LegacyJson:
    """The documents of the project whose page is ``page``."""

    def __init__(self, page: MirroredPage, links: Links) -> None:
        self._files = {file.remote.filename: file for file in page.files}
        self._versions = frozenset(page.versions)
        self._links = links

    def releases(self, document: Document) -> dict[str, Entries]:
        """The entries of the files that we list, by version as the project's ``document`` has it.

        A version without files is one of them where upstream has none either.
        """
        found: dict[str, Entries] = {}
        for version, entries in _object(document.get("releases")).items():
            listed = self._listed(entries)
            if listed or (not entries and version in self._versions):
                found[version] = listed
        return found

    def project(self, document: Document, releases: Mapping[str, Entries], newest: Document) -> bytes:
        """The project's document: ``newest``, of a release among ``releases``, says what it is about."""
        version = described(newest)
        return encode(
            {
                **document,
                "info": newest["info"],
                "releases": releases,
                "urls": releases.get(version, ()),
                "vulnerabilities": newest.get("vulnerabilities", []),
            }
        )

    def release(self, document: Document, entries: Entries) -> bytes:
        """A release's ``document``, with ``entries`` for its files."""
        return encode({**document, "urls": entries})

    def _listed(self, entries: Any) -> Entries:
        found = []
        for entry in entries if isinstance(entries, list) else ():
            file = self._files.get(entry.get("filename", "")) if isinstance(entry, dict) else None
            if file is not None and _object(entry.get("digests")).get("sha256", file.sha256) == file.sha256:
                found.append(self._entry(entry, file))
        return found

    def _entry(self, entry: Mapping[str, Any], file: PooledFile) -> Mapping[str, Any]:
        yanked = file.remote.yanked
        ours: dict[str, Any] = {
            "size": file.size,
            "url": self._links.absolute(file),
            "yanked": yanked is not None,
            "yanked_reason": yanked or None,
        }
        if "core-metadata" in entry:
            ours["core-metadata"] = {"sha256": file.metadata_sha256} if file.metadata_sha256 else False
        return {**entry, **ours}


def described(document: Document) -> str:
    """The version of the release that ``document`` is about."""
    version = _object(document.get("info")).get("version")
    return version if isinstance(version, str) else ""


def newest(releases: Mapping[str, Entries]) -> str:
    """The release that upstream would describe if it had only these: not yanked, else not a pre-release, else
    the highest version. ``releases`` is not empty.
    """

    def preference(version: str) -> tuple[bool, bool, bool, Version]:
        entries = releases[version]
        yanked = bool(entries) and all(entry["yanked"] for entry in entries)
        try:
            parsed = Version(version)
        except InvalidVersion:
            return not yanked, False, False, Version("0")
        return not yanked, not parsed.is_prerelease, True, parsed

    return max(releases, key=preference)


def is_same_release(before: Entries, now: Entries) -> bool:
    """Whether two lists of entries say the same of the same files, wherever these are served."""
    return [{**entry, "url": None} for entry in before] == [{**entry, "url": None} for entry in now]


def encode(document: Document) -> bytes:
    return _encoder.encode(document)


def decode(content: bytes | None) -> Document:
    """The document that ``content`` is; empty where it is none."""
    try:
        return _object(msgspec.json.decode(content or b"null"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
