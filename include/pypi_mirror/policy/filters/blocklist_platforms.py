"""``[blocklist] platforms``: systems, platform tags and Python versions that are not served."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import BadValue, option
from pypi_mirror.options.parsers import nearest
from pypi_mirror.policy.filenames import Filename, Kind, describe_other, split_tags, wheel_tags
from pypi_mirror.policy.filter import BLOCKLIST, Filter
from pypi_mirror.policy.platform_words import EXAMPLE_WORDS, is_platform_word, platform_prefixes, python_tags


def parse_platform(text: str) -> str:
    """Return a word of ``platform_words`` in lower case."""
    if not is_platform_word(text):
        hint = nearest(text, EXAMPLE_WORDS)
        raise BadValue(f"{text!r} is not a platform: a system, a Python like py3.9, or a platform tag{hint}")
    return text.lower()


@dataclass(frozen=True, kw_only=True)
class BlockedPlatforms(Filter):
    """Leaves out files that only blocked platforms or only blocked Pythons can use.

    The words mean what they mean to bandersnatch, with three differences, all in favour of files that
    somebody who is not blocked can install:

    - a compressed tag set (PEP 425) is left out when *all* its platforms, or all its Pythons, are blocked:
      ``py2`` keeps ``py2.py3-none-any``, ``windows`` keeps ``macosx_11_0_arm64.win_amd64``;
    - a Python version keeps wheels of the stable ABI (PEP 384): ``cp39-abi3`` runs on every later CPython;
    - a wheel of ``linux_x86_64`` is Linux's like one of ``manylinux2014_x86_64``.

    Source archives always stay. Installers (``.exe``, ``.msi``, ``.dmg``, ``.rpm``, ``.deb``), eggs
    and ``bdist_dumb`` archives are left out by the system and the Python in their names. A wheel with a
    malformed name is kept: it does not say where it runs.
    """

    section: ClassVar = BLOCKLIST

    platforms: tuple[str, ...] = option(
        parse_platform,
        "Systems (windows macos freebsd linux), Pythons (py2.7) and tags (win_arm64) not to mirror.",
        "A Python like py2.7 or py3.9 means files for exactly this one, not wheels of the stable ABI, which "
        "later Pythons use too. A tag can be the beginning of one: manylinux2014_ppc64le, musllinux. Source "
        "archives stay.",
        many=True,
        words=True,
        empty=True,
        example=("windows macos freebsd py2.7",),
    )

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        tags = wheel_tags(file.filename)
        if tags is not None:
            return self._reason_by_tags(tags)
        if file.filename.endswith(".whl"):
            return None
        return self._reason(describe_other(file.filename))

    def sentences(self) -> Iterator[str]:
        yield f"No files for these platforms: {', '.join(self.platforms)}."

    @cached_property
    def _reason_by_tags(self) -> Callable[[str], str | None]:
        return lru_cache(maxsize=65_536)(lambda tags: self._reason(split_tags(tags)))

    @cached_property
    def _prefixes(self) -> dict[str, str]:
        return {prefix: word for word in self.platforms for prefix in platform_prefixes(word)}

    @cached_property
    def _pythons(self) -> dict[str, str]:
        return {tag: word for word in self.platforms for tag in python_tags(word)}

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
        return f"[blocklist] platforms lists {blocked}, and the file's {what} is {', '.join(tags)}"
