"""What the name of a distribution file says about where it runs.

Wheels say it exactly (PEP 425, 427). What came before wheels says it by the habits of distutils and
setuptools: ``NAME-VERSION.win-amd64-py3.9.exe``, ``NAME-VERSION-py2.7-macosx-10.9-x86_64.egg``,
``NAME-VERSION.linux-x86_64.tar.gz`` (``bdist_dumb``). Everything else is taken for a source archive.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    WHEEL = auto()
    EGG = auto()
    INSTALLER = auto()
    DUMB = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filename:
    """``platforms`` are platform tags in the spelling of wheels, ``pythons`` python tags or ``pyX.Y``.

    Both are empty when the name does not say. Of a wheel they are the parts of its compressed tag sets.
    """

    kind: Kind
    pythons: tuple[str, ...] = ()
    abis: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()


# PEP 527 names the extensions that upstreams accepted; an installer without a platform in its name is
# still one for the only system that can run it.
_INSTALLERS = {".exe": "win32", ".msi": "win32", ".dmg": "macosx_", ".rpm": "linux_", ".deb": "linux_"}

_PLATFORM = (
    r"(?:win32|win[-_](?:amd64|arm64|ia64)|(?:macosx|linux|freebsd|cygwin|solaris|aix)[-_][A-Za-z0-9._-]+?)"
)
_EGG = re.compile(rf"-(?P<python>py\d\.\d+)(?:-(?P<platform>{_PLATFORM}))?\.egg\Z")
_INSTALLER = re.compile(rf"\.(?P<platform>{_PLATFORM})(?:-(?P<python>py\d\.\d+))?\.(?:exe|msi|dmg)\Z")
_DUMB = re.compile(rf"\.(?P<platform>{_PLATFORM})\.(?:tar\.gz|tar\.bz2|tar\.xz|tar\.Z|tar|tgz|zip)\Z")


def wheel_tags(filename: str) -> str | None:
    """The ``python-abi-platform`` end of a wheel's name in lower case; None when it is no wheel's name."""
    if not filename.endswith(".whl"):
        return None
    parts = filename[:-4].rsplit("-", 3)
    if len(parts) != 4 or "-" not in parts[0]:
        return None
    tags = "-".join(parts[1:]).lower()
    return None if ".." in f".{tags}.".replace("-", ".") else tags


def split_tags(tags: str) -> Filename:
    """``py2.py3-none-any`` as its parts; for what ``wheel_tags`` returned."""
    pythons, abis, platforms = (part.split(".") for part in tags.split("-"))
    return Filename(kind=Kind.WHEEL, pythons=tuple(pythons), abis=tuple(abis), platforms=tuple(platforms))


def describe_other(filename: str) -> Filename:
    """What the name of a file that is no wheel says.

    An rpm's architecture is left aside: its build is for one distribution of Linux whatever it says.
    """
    extension = filename[filename.rfind(".") :].lower()
    if extension == ".egg":
        return _described(Kind.EGG, _EGG.search(filename), default=None)
    if extension in _INSTALLERS:
        return _described(Kind.INSTALLER, _INSTALLER.search(filename), default=_INSTALLERS[extension])
    match = _DUMB.search(filename)
    if match is not None:
        return _described(Kind.DUMB, match, default=None)
    return Filename(kind=Kind.OTHER)


def _described(kind: Kind, match: re.Match[str] | None, *, default: str | None) -> Filename:
    groups = match.groupdict() if match is not None else {}
    platform = groups.get("platform") or default
    python = groups.get("python")
    return Filename(
        kind=kind,
        pythons=(python,) if python else (),
        platforms=(re.sub(r"[-.]", "_", platform.lower()),) if platform else (),
    )
