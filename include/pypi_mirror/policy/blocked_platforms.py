"""``[blocklist] platforms``: systems, platform tags and Python versions that are not served."""

from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.policy.filenames import Filename, Kind, describe_other, split_tags, wheel_tags
from pypi_mirror.settings.platform_words import platform_prefixes, python_tags


class BlockedPlatforms:
    """Drops files that only blocked platforms or only blocked Pythons can use.

    The words mean what they mean to bandersnatch, with three differences, all in favour of files that
    somebody who is not blocked can install:

    - a compressed tag set (PEP 425) is dropped when *all* its platforms, or all its Pythons, are blocked:
      ``py2`` keeps ``py2.py3-none-any``, ``windows`` keeps ``macosx_11_0_arm64.win_amd64``;
    - a Python version keeps wheels of the stable ABI (PEP 384): ``cp39-abi3`` runs on every later CPython;
    - a wheel of ``linux_x86_64`` is Linux's like one of ``manylinux2014_x86_64``.

    Source archives are never dropped. Installers (``.exe``, ``.msi``, ``.dmg``, ``.rpm``, ``.deb``), eggs
    and ``bdist_dumb`` archives are dropped by the system and the Python in their names. A wheel with a
    malformed name is kept: it does not say where it runs.
    """

    setting: ClassVar = "[blocklist] platforms"

    def __init__(self, words: Iterable[str]) -> None:
        words = tuple(words)
        self._prefixes = {prefix: word for word in words for prefix in platform_prefixes(word)}
        self._pythons = {tag: word for word in words for tag in python_tags(word)}
        self._by_tags = lru_cache(maxsize=65_536)(lambda tags: self._reason(split_tags(tags)))

    def reason_to_drop(self, project: NormalizedName, file: RemoteFile) -> str | None:
        tags = wheel_tags(file.filename)
        if tags is not None:
            return self._by_tags(tags)
        if file.filename.endswith(".whl"):
            return None
        return self._reason(describe_other(file.filename))

    def _reason(self, name: Filename) -> str | None:
        platforms = [self._word_for_platform(platform) for platform in name.platforms]
        if platforms and None not in platforms:
            return self._say(platforms, "platform", name.platforms)
        if name.kind is Kind.WHEEL and any(abi.startswith("abi3") for abi in name.abis):
            return None
        pythons = [self._pythons.get(python) for python in name.pythons]
        if pythons and None not in pythons:
            return self._say(pythons, "Python", name.pythons)
        return None

    def _word_for_platform(self, platform: str) -> str | None:
        return next((word for prefix, word in self._prefixes.items() if platform.startswith(prefix)), None)

    @staticmethod
    def _say(words: Iterable[str | None], what: str, tags: Iterable[str]) -> str:
        blocked = ", ".join(sorted({word for word in words if word}))
        return f"[blocklist] platforms has {blocked}, and the file's {what} is {', '.join(tags)}"
