"""``[platform] environments``: only what the configured machines can install."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.policy.filenames import Kind, describe_other, split_tags, wheel_tags
from pypi_mirror.policy.served_tags import served_tags
from pypi_mirror.settings.platform_words import SYSTEM_TAGS
from pypi_mirror.settings.values import Environment


class ServedEnvironments:
    """Drops wheels that none of the environments can install, decided by the wheel's tags (PEP 425).

    - A wheel is kept when any tag of its compressed tag set can be installed by any environment.
    - ``none-any`` wheels stay whatever their Python: they are small, and tools read their metadata.
    - A wheel whose name is malformed is dropped: no installer takes it.
    - Source archives and eggs without a platform stay.
    - Installers (``.exe``, ``.msi``, ``.dmg``, ``.rpm``, ``.deb``), and eggs and ``bdist_dumb`` archives with
      a platform in their name, stay when an environment is of that system; the machine and the Python
      are not compared, since these formats name them loosely.

    The rule about ``Requires-Python`` is the installer's: a wheel that its tags admit is kept.
    """

    setting: ClassVar = "[platform] environments"

    def __init__(self, environments: Iterable[Environment]) -> None:
        environments = tuple(environments)
        self._served = served_tags(environments)
        self._prefixes = tuple(
            prefix for system in sorted({e.system for e in environments}) for prefix in SYSTEM_TAGS[system]
        )
        self._by_tags = lru_cache(maxsize=65_536)(self._reason_by_tags)

    def reason_to_drop(self, project: NormalizedName, file: RemoteFile) -> str | None:
        tags = wheel_tags(file.filename)
        if tags is not None:
            return self._by_tags(tags)
        if file.filename.endswith(".whl"):
            return "the wheel's name is malformed, so that no installer takes it"
        name = describe_other(file.filename)
        if name.kind is Kind.OTHER or not name.platforms or name.platforms[0].startswith(self._prefixes):
            return None
        return f"no environment of [platform] environments is of the system {name.platforms[0].rstrip('_')}"

    def _reason_by_tags(self, tags: str) -> str | None:
        name = split_tags(tags)
        if "none" in name.abis and "any" in name.platforms:
            return None
        nowhere: frozenset[str] = frozenset()
        for key in product(name.pythons, name.abis):
            if not self._served.get(key, nowhere).isdisjoint(name.platforms):
                return None
        return f"no environment of [platform] environments can install {tags}"
