"""What the stand-in upstream holds: projects and files made from a seed, written out as a static tree.

Both mirrors read what they need from the same tree: ours the PEP 691 pages, bandersnatch the legacy JSON.
"""

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_UPLOADED = "2024-05-06T07:08:09.123456Z"
_WHEEL = b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
# Two kilobytes: bandersnatch reads a project's description with its document, and .metadata holds it.
_DESCRIPTION = "What this project is for, how to install it, and an example or two. " * 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """``projects`` projects of ``files`` wheels, each of ``filler`` random bytes, with ``.metadata`` or not.

    With ``closure`` each project needs two others, so that the first one needs all of them; with ``requires``
    each release needs so many of all, by versions. ``uploaded`` is the upload time of every file (RFC 3339).
    """

    projects: int
    files: int
    filler: int
    metadata: bool = True
    closure: bool = False
    requires: int = 0
    uploaded: str = _UPLOADED


@dataclass(frozen=True, kw_only=True)
class ReleaseFile:
    """One installable wheel; its bytes come from its fields alone, the same in every process."""

    project: str
    version: str
    filler: int
    has_metadata: bool
    requires: tuple[str, ...] = ()
    uploaded: str = _UPLOADED

    @property
    def filename(self) -> str:
        return f"{self.project.replace('-', '_')}-{self.version}-py3-none-any.whl"

    @cached_property
    def content(self) -> bytes:
        module = self.project.replace("-", "_")
        home = f"{module}-{self.version}.dist-info"
        members = {
            f"{module}/filler": random.Random(self.filename).randbytes(self.filler),  # noqa: S311 - filler
            f"{home}/METADATA": self.metadata,
            f"{home}/WHEEL": _WHEEL,
        }
        record = "".join(f"{name},,\n" for name in (*members, f"{home}/RECORD"))
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as wheel:
            for name, data in (*members.items(), (f"{home}/RECORD", record.encode())):
                wheel.writestr(zipfile.ZipInfo(name), data)
        return buffer.getvalue()

    @cached_property
    def metadata(self) -> bytes:
        lines = (
            "Metadata-Version: 2.1",
            f"Name: {self.project}",
            f"Version: {self.version}",
            *(f"Requires-Dist: {name}" for name in self.requires),
        )
        return ("\n".join(lines) + "\n\n" + _DESCRIPTION).encode()

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def metadata_sha256(self) -> str:
        return hashlib.sha256(self.metadata).hexdigest()

    @cached_property
    def path(self) -> str:
        """Below the upstream's root and below a mirror's ``web`` alike."""
        digest = hashlib.blake2b(self.content, digest_size=32).hexdigest()
        return f"packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{self.filename}"


class StaticTree:
    """A catalogue as files below ``root``, and the list of what a complete mirror of it holds.

    ``files`` maps each path below a mirror's ``web`` to its SHA-256; ``events`` is the changelog from the
    last event of the tree's first version on, ``serial`` the last event's.
    """

    def __init__(self, root: Path, catalogue: Catalogue) -> None:
        self.root = root
        self.catalogue = catalogue
        self.serial = 1_000_000
        self.files: dict[str, str] = {}
        self.events: list[tuple[str, str | None, int, str, int]] = []
        self._serials: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._others = 0

    @property
    def names(self) -> list[str]:
        return list(self._serials)

    def write(self) -> None:
        """Write the whole tree."""
        for number in range(self.catalogue.projects):
            version = self._write_project(_name(number), self.catalogue.files)
            # By the event at their cursor mirrors know that upstream is still the same.
            self.events = [(_name(number), version, 1_700_000_000, "new release", self.serial)]
        self._write_index()

    def change(self, count: int, turn: int) -> None:
        """Give ``count`` projects, spread over the index, one file more; each ``turn`` takes other ones."""
        step = max(1, self.catalogue.projects // count)
        for name in self.names[turn % step :: step][:count]:
            version = self._write_project(name, self._counts[name] + 1)
            self.events.append((name, version, 1_700_000_000, "new release", self.serial))
        self._write_index()

    def list_others(self, count: int) -> None:
        """Have the root index list ``count`` projects more, older than all, which no mirror here wants."""
        self._others = count
        self._write_index()

    def addresses(self, *, release_files: bool) -> Iterator[str]:
        """Every address a first sync asks for, below the root: pages, files, metadata."""
        for name in self._serials:
            yield f"simple/{name}/"
        if release_files:
            yield from self.files

    def _write_project(self, name: str, count: int) -> str:
        self.serial += 1
        self._serials[name] = self.serial
        self._counts[name] = count
        number = int(name.rpartition("-")[2])
        needed = (2 * number + 1, 2 * number + 2) if self.catalogue.closure else ()
        requires = tuple(_name(n) for n in needed if n < self.catalogue.projects)
        files = [
            ReleaseFile(
                project=name,
                version=f"1.{n}",
                filler=self.catalogue.filler,
                has_metadata=self.catalogue.metadata,
                uploaded=self.catalogue.uploaded,
                requires=requires or tuple(self._requirements(number, n)),
            )
            for n in range(count)
        ]
        for file in files:
            self._write_file(file)
        self._write(f"simple/{name}/index.json", _dump(_page(name, self.serial, files)))
        self._write(f"pypi/{name}/json", _dump(_legacy(name, self.serial, files)))
        return files[-1].version

    def _requirements(self, project: int, release: int) -> Iterator[str]:
        """Few projects are required by most others, and what a release requires changes now and then."""
        chosen = random.Random(f"{project} {release // 6}")  # noqa: S311 - the same in every process
        for _ in range(self.catalogue.requires):
            other = int(chosen.random() ** 3 * self.catalogue.projects)
            yield f"{_name(other)}>=1.{chosen.randrange(self.catalogue.files)}"

    def _write_file(self, file: ReleaseFile) -> None:
        self._write(file.path, file.content)
        self.files[file.path] = file.sha256
        if file.has_metadata:
            self._write(f"{file.path}.metadata", file.metadata)
            self.files[f"{file.path}.metadata"] = file.metadata_sha256

    def _write_index(self) -> None:
        projects = [{"name": name, "_last-serial": serial} for name, serial in self._serials.items()]
        projects += [{"name": f"other-{number:06d}", "_last-serial": 1} for number in range(self._others)]
        meta = {"api-version": "1.1", "_last-serial": self.serial}
        self._write("simple/index.json", _dump({"meta": meta, "projects": projects}))

    def _write(self, path: str, content: bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _name(number: int) -> str:
    return f"project-{number:06d}"


def _page(name: str, serial: int, files: list[ReleaseFile]) -> dict[str, Any]:
    return {
        "meta": {"api-version": "1.4", "_last-serial": serial},
        "name": name,
        "versions": [file.version for file in files],
        "files": [
            {
                "filename": file.filename,
                "url": f"/{file.path}",
                "hashes": {"sha256": file.sha256},
                "requires-python": ">=3.8",
                "size": len(file.content),
                "upload-time": file.uploaded,
                "yanked": False,
                "core-metadata": {"sha256": file.metadata_sha256} if file.has_metadata else False,
                "data-dist-info-metadata": {"sha256": file.metadata_sha256} if file.has_metadata else False,
                "provenance": None,
            }
            for file in files
        ],
    }


def _legacy(name: str, serial: int, files: list[ReleaseFile]) -> dict[str, Any]:
    releases = {file.version: [_legacy_file(file)] for file in files}
    return {
        "info": {
            "name": name,
            "version": files[-1].version if files else "0",
            "summary": "A project of the benchmark",
            "description": _DESCRIPTION,
            "description_content_type": "text/markdown",
            "requires_python": ">=3.8",
            "yanked": False,
        },
        "last_serial": serial,
        "releases": releases,
        "urls": [_legacy_file(file) for file in files[-1:]],
        "vulnerabilities": [],
    }


def _legacy_file(file: ReleaseFile) -> dict[str, Any]:
    return {
        "filename": file.filename,
        "url": f"/{file.path}",
        "digests": {
            "blake2b_256": hashlib.blake2b(file.content, digest_size=32).hexdigest(),
            "md5": hashlib.md5(file.content, usedforsecurity=False).hexdigest(),
            "sha256": file.sha256,
        },
        "size": len(file.content),
        "packagetype": "bdist_wheel",
        "python_version": "py3",
        "requires_python": ">=3.8",
        "upload_time": "2024-05-06T07:08:09",
        "upload_time_iso_8601": _UPLOADED,
        "yanked": False,
        "yanked_reason": None,
        "core-metadata": {"sha256": file.metadata_sha256} if file.has_metadata else False,
    }


def _dump(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
