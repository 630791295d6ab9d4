"""The words of ``[blocklist] platforms``: bandersnatch's systems, Python versions and platform tags.

| word | what it names |
| --- | --- |
| ``windows`` or ``win``, ``macos`` or ``macosx``, ``linux``, ``freebsd`` | all platform tags of a system |
| ``py3.9``, ``py2.7`` … | files for exactly this Python: ``cp39``, ``pp39``, ``-py3.9.egg`` … |
| ``py2``, ``py3`` | wheels tagged with the major version alone, ``py2-none-any`` |
| ``win32``, ``win_arm64``, ``manylinux2014_ppc64le``, ``musllinux`` … | tags that begin so |
"""

import re

SYSTEM_TAGS: dict[str, tuple[str, ...]] = {
    "linux": ("linux_", "manylinux", "musllinux"),
    "windows": ("win32", "win_"),
    "macos": ("macosx_",),
    "freebsd": ("freebsd_",),
}
"""How the platform tags of a system begin (PEP 425, 513, 571, 599, 600, 656)."""

SYSTEM_ALIASES: dict[str, str] = {"win": "windows", "macosx": "macos"}

_PYTHON = re.compile(r"py(?P<major>[23])(?:\.(?P<minor>\d{1,2}))?")
_TAG = re.compile(r"(?:win32|(?:win_|linux_|manylinux|musllinux|macosx_|freebsd_)[a-z0-9_]*)")

# PEP 425's short names of the implementations.
_IMPLEMENTATIONS = ("cp", "pp", "ip", "jy")

EXAMPLE_WORDS = (
    *SYSTEM_TAGS,
    *SYSTEM_ALIASES,
    "py2",
    "py2.7",
    "py3",
    "py3.9",
    "win32",
    "win_amd64",
    "musllinux",
)
"""Valid words to suggest from when somebody misspells one."""


def platform_prefixes(word: str) -> tuple[str, ...]:
    """How the platform tags that ``word`` names begin; empty when it names none.

    bandersnatch's own spellings carry separators (``-win32``, ``win-amd64``), so these are accepted.
    """
    word = word.lower()
    system = SYSTEM_TAGS.get(SYSTEM_ALIASES.get(word, word))
    if system is not None:
        return system
    tag = word.lstrip("-.").replace("-", "_").replace(".", "_")
    return (tag,) if _TAG.fullmatch(tag) else ()


def python_tags(word: str) -> frozenset[str]:
    """The python tags of wheels, and pyX.Y suffixes of older files, that ``word`` names; maybe none.

    ``py39`` is not among those of ``py3.9``: that tag means Python 3.9 *and later* (PEP 425).
    """
    match = _PYTHON.fullmatch(word.lower())
    if match is None:
        return frozenset()
    major, minor = match["major"], match["minor"] or ""
    tags = {f"{short}{major}{minor}" for short in _IMPLEMENTATIONS}
    return frozenset(tags | {word.lower()})


def is_platform_word(word: str) -> bool:
    """Whether ``[blocklist] platforms`` knows ``word``."""
    return bool(platform_prefixes(word) or python_tags(word))
