"""What can be uploaded: wheels and sdists that are generated, lie in a folder, or are only declared.

The same value always gives the same bytes, on every machine, so that digests and ETags are the same
in every run. ``size`` is the number of bytes of incompressible payload a generated file carries.
The classes are msgspec structs, because events cross the control API and the event log as JSON.
"""

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
import zipfile
from functools import lru_cache
from pathlib import Path

import msgspec
from packaging.metadata import RawMetadata, parse_email
from packaging.tags import parse_tag
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time a zip archive can hold; every generated member has it."""


class Distribution(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """Base of all: a file for ``version`` of ``name`` (the display name, any spelling)."""

    name: str
    version: str

    @property
    def file_name(self) -> str:
        raise NotImplementedError

    @property
    def is_wheel(self) -> bool:
        return self.file_name.endswith(".whl")

    @property
    def python_version(self) -> str:
        """What uploaders declare: the wheel's Python tag, ``source`` for an sdist."""
        return self.file_name.removesuffix(".whl").split("-")[-3] if self.is_wheel else "source"

    def core_metadata(self) -> bytes:
        """The wheel's METADATA or the sdist's PKG-INFO, byte for byte."""
        raise NotImplementedError

    def content(self) -> bytes | Path:
        """The bytes, or the file on disk that holds them."""
        raise NotImplementedError

    def raw_metadata(self) -> RawMetadata:
        return parse_email(self.core_metadata())[0]


class Generated(Distribution, frozen=True, kw_only=True):
    """Base of what is built from its own fields; ``extra`` are further metadata headers, in order."""

    requires_python: str | None = None
    requires_dist: tuple[str, ...] = ()
    summary: str | None = None
    description: str = ""
    extra: tuple[tuple[str, str], ...] = ()
    size: int = 0
    metadata_version: str = "2.1"

    @property
    def module(self) -> str:
        """The import name, which is also the name's form in filenames."""
        return canonicalize_name(self.name).replace("-", "_")

    def core_metadata(self) -> bytes:
        lines = [
            f"Metadata-Version: {self.metadata_version}",
            f"Name: {self.name}",
            f"Version: {self.version}",
        ]
        if self.summary is not None:
            lines.append(f"Summary: {self.summary}")
        if self.requires_python is not None:
            lines.append(f"Requires-Python: {self.requires_python}")
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires_dist]
        lines += [f"{key}: {value}" for key, value in self.extra]
        return ("\n".join(lines) + "\n\n" + self.description).encode()

    def payload(self) -> bytes:
        """Bytes that no compressor shrinks, another sequence for each filename."""
        return hashlib.shake_128(self.file_name.encode()).digest(self.size)

    def init_py(self) -> bytes:
        return f'__version__ = "{self.version}"\n'.encode()


class Wheel(Generated, frozen=True, kw_only=True, tag="wheel"):
    """A wheel pip installs; ``tags`` is the compressed tag set of the filename."""

    version: str = "1.0"
    tags: str = "py3-none-any"
    build: str = ""

    @property
    def file_name(self) -> str:
        build = f"-{self.build}" if self.build else ""
        return f"{self.module}-{self.version}{build}-{self.tags}.whl"

    def content(self) -> bytes:
        return _build_wheel(self)


class Sdist(Generated, frozen=True, kw_only=True, tag="sdist"):
    """A source distribution with a ``pyproject.toml``, of setuptools by default."""

    version: str = "1.0"
    build_requires: tuple[str, ...] = ("setuptools",)
    build_backend: str = "setuptools.build_meta"

    @property
    def file_name(self) -> str:
        return f"{self.module}-{self.version}.tar.gz"

    def content(self) -> bytes:
        return _build_sdist(self)


class Artifact(Distribution, frozen=True, kw_only=True, tag="artifact"):
    """A real wheel or sdist on disk; make it with ``Artifact.of(path)``."""

    path: str

    @classmethod
    def of(cls, path: Path) -> "Artifact":
        """The display name comes from the file's metadata; ValueError for what is no wheel or sdist."""
        if path.suffix == ".whl":
            version = parse_wheel_filename(path.name)[1]
        else:
            version = parse_sdist_filename(path.name)[1]
        name = parse_email(_metadata_of_file(str(path)))[0].get("name")
        if name is None:
            raise ValueError(f"{path}: the metadata names no project")
        return cls(name=name, version=str(version), path=str(path))

    @property
    def file_name(self) -> str:
        return self.path.rpartition("/")[2]

    def core_metadata(self) -> bytes:
        return _metadata_of_file(self.path)

    def content(self) -> Path:
        return Path(self.path)


class Declared(Distribution, frozen=True, kw_only=True, tag="declared"):
    """A file of which the page says what the fields say, true or not.

    For digests that were recorded elsewhere and for an upstream that lies. ``size`` and the digests are those
    of ``data`` where they are not given; without ``data`` the file host serves ``size`` zero bytes.
    ``url`` replaces the address on the pages.
    """

    filename: str
    metadata: str = ""
    data: bytes | None = None
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None
    blake2b: str | None = None
    metadata_sha256: str | None = None
    url: str | None = None

    @property
    def file_name(self) -> str:
        return self.filename

    def core_metadata(self) -> bytes:
        text = self.metadata or f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\n"
        return text.encode()

    def content(self) -> bytes:
        return b"\0" * (self.size or 0) if self.data is None else self.data


AnyDistribution = Wheel | Sdist | Artifact | Declared


# A server over many generated files builds each when it is asked for; retries and ranges hit the cache.
@lru_cache(maxsize=64)
def _build_wheel(wheel: Wheel) -> bytes:
    info = f"{wheel.module}-{wheel.version}.dist-info"
    pure = "true" if wheel.tags.endswith("-none-any") else "false"
    tags = sorted(str(tag) for tag in parse_tag(wheel.tags))
    build = f"Build: {wheel.build}\n" if wheel.build else ""
    members = [
        (f"{wheel.module}/__init__.py", wheel.init_py()),
        (f"{wheel.module}/payload.bin", wheel.payload()),
        (f"{info}/METADATA", wheel.core_metadata()),
        (
            f"{info}/WHEEL",
            f"Wheel-Version: 1.0\nGenerator: tests.warehouse\nRoot-Is-Purelib: {pure}\n{build}".encode()
            + "".join(f"Tag: {tag}\n" for tag in tags).encode(),
        ),
    ]
    record = "".join(f"{name},sha256={_record_digest(data)},{len(data)}\n" for name, data in members)
    members.append((f"{info}/RECORD", f"{record}{info}/RECORD,,\n".encode()))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data)
    return stream.getvalue()


def _record_digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@lru_cache(maxsize=64)
def _build_sdist(sdist: Sdist) -> bytes:
    root = f"{sdist.module}-{sdist.version}"
    # What it requires is in PKG-INFO alone.
    dynamic = 'dynamic = ["dependencies", "optional-dependencies"]\n' if sdist.requires_dist else ""
    pyproject = (
        f"[build-system]\nrequires = {json.dumps(sdist.build_requires)}\n"
        f'build-backend = "{sdist.build_backend}"\n\n'
        f'[project]\nname = "{sdist.name}"\nversion = "{sdist.version}"\n{dynamic}\n'
        f'[tool.setuptools]\npackages = ["{sdist.module}"]\n'
    )
    stream = io.BytesIO()
    # Stored, not compressed: zlib's builds differ in what they make of the same bytes.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0, compresslevel=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, data in (
            ("PKG-INFO", sdist.core_metadata()),
            ("pyproject.toml", pyproject.encode()),
            (f"{sdist.module}/__init__.py", sdist.init_py()),
            (f"{sdist.module}/payload.bin", sdist.payload()),
        ):
            member = tarfile.TarInfo(f"{root}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


@lru_cache(maxsize=1024)
def _metadata_of_file(path: str) -> bytes:
    if path.endswith((".whl", ".zip")):
        wanted = r"[^/]+\.dist-info/METADATA" if path.endswith(".whl") else r"[^/]+/PKG-INFO"
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if re.fullmatch(wanted, name):
                    return archive.read(name)
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                if re.fullmatch(r"(\./)?[^/]+/PKG-INFO", member.name):
                    found = archive.extractfile(member)
                    if found is not None:
                        return found.read()
    raise ValueError(f"{path}: holds no METADATA or PKG-INFO")
