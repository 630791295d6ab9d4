"""What the name of a distribution file says about where it runs.

Wheels say it exactly (PEP 425, 427). What came before wheels says it by the habits of distutils and
setuptools: ``NAME-VERSION.win-amd64-py3.9.exe``, ``NAME-VERSION-py2.7-macosx-10.9-x86_64.egg``,
``NAME-VERSION.linux-x86_64.tar.gz`` (``bdist_dumb``). Everything else is taken for a source archive.
"""

import re
from enum import Enum, auto

from msgspec import Struct

from pypi_mirror.release_files import ARCHIVES, EGG, INSTALLERS, VARIANTS, WHEEL


class Kind(Enum):
    WHEEL = auto()
    EGG = auto()
    INSTALLER = auto()
    DUMB = auto()
    OTHER = auto()


class Filename(Struct, frozen=True, kw_only=True):
    """``platforms`` are platform tags in the spelling of wheels, ``pythons`` python tags or ``pyX.Y``.

    Both are empty when the name does not say. Of a wheel they are the parts of its compressed tag sets.
    """

    kind: Kind
    pythons: tuple[str, ...] = ()
    abis: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()


_PLATFORM = (
    r"(?:win32|win[-_](?:amd64|arm64|ia64)|(?:macosx|linux|freebsd|cygwin|solaris|aix)[-_][A-Za-z0-9._-]+?)"
)
_EGG = re.compile(rf"-(?P<python>py\d\.\d+)(?:-(?P<platform>{_PLATFORM}))?\.egg\Z")
_INSTALLER = re.compile(rf"\.(?P<platform>{_PLATFORM})(?:-(?P<python>py\d\.\d+))?\.(?:exe|msi|dmg)\Z")
_DUMB = re.compile(rf"\.(?P<platform>{_PLATFORM})(?:{'|'.join(map(re.escape, ARCHIVES))})\Z")
# PEP 425, "py2.py3"; PEP 825.
_PYTHON_TAGS = re.compile(r"[a-z]+[0-9_]*(?:\.[a-z]+[0-9_]*)*", re.ASCII | re.IGNORECASE)
_VARIANT_LABEL = re.compile(r"[0-9a-z_.]{1,16}", re.ASCII)


def wheel_tags(filename: str) -> str | None:
    """The ``python-abi-platform`` part of a wheel's name in lower case; None when it is no wheel's name.

    PEP 825 lets a variant label follow: ``a-1.0-cp312-cp312-win_amd64-x86_64_v3.whl``.
    """
    if not filename.endswith(WHEEL):
        return None
    parts = filename.removesuffix(WHEEL).split("-")
    if len(parts) < 5:
        return None
    if _has_label(parts):
        parts.pop()
    tags = "-".join(parts[-3:]).lower()
    return None if ".." in f".{tags}.".replace("-", ".") else tags


def _has_label(parts: list[str]) -> bool:
    """Whether a wheel's name of these parts ends with a variant label (PEP 825).

    A build tag begins with a digit and a Python tag does not, so that tells ``a-1.0-1-py3-none-any`` from
    ``a-1.0-py3-none-any-label``; names with dashes of their own are not taken for one.
    """
    after_version = parts[3:] if parts[2][:1].isdigit() else parts[2:]
    return (
        len(after_version) == 4
        and _PYTHON_TAGS.fullmatch(after_version[0]) is not None
        and _VARIANT_LABEL.fullmatch(after_version[3]) is not None
    )


def split_tags(tags: str) -> Filename:
    """``py2.py3-none-any`` as its parts; for what ``wheel_tags`` returned."""
    pythons, abis, platforms = (part.split(".") for part in tags.split("-"))
    return Filename(kind=Kind.WHEEL, pythons=tuple(pythons), abis=tuple(abis), platforms=tuple(platforms))


def describe_other(filename: str) -> Filename:
    """What the name of a file that is no wheel says.

    An rpm's architecture is left aside: its build is for one distribution of Linux whatever it says.
    """
    extension = filename[filename.rfind(".") :].lower()
    if extension == EGG:
        return _described(Kind.EGG, _EGG.search(filename), default=None)
    if extension in INSTALLERS:
        return _described(Kind.INSTALLER, _INSTALLER.search(filename), default=INSTALLERS[extension])
    match = _DUMB.search(filename)
    if match is not None:
        return _described(Kind.DUMB, match, default=None)
    return Filename(kind=Kind.OTHER)


def is_source_archive(filename: str) -> bool:
    """Whether a file is taken for a source archive: it is nothing else by its name."""
    return not filename.endswith((WHEEL, VARIANTS)) and describe_other(filename).kind is Kind.OTHER


def _described(kind: Kind, match: re.Match[str] | None, *, default: str | None) -> Filename:
    groups = match.groupdict() if match is not None else {}
    platform = groups.get("platform") or default
    python = groups.get("python")
    return Filename(
        kind=kind,
        pythons=(python,) if python else (),
        platforms=(re.sub(r"[-.]", "_", platform.lower()),) if platform else (),
    )
