"""Files that stay for machines that are not served: who locks for all platforms sees releases by them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options.environments import Environment
from pypi_mirror.policy.filenames import is_source_archive, split_tags, wheel_tags
from pypi_mirror.policy.releases import Release, public_release, release_in

_Python = tuple[int, int]
# What wheels of the stable ABI and pure ones are for.
_EVERY: Final[_Python] = (99, 0)
# Of one Python: cp312, cp313t, pp310, pypy310_pp73.
_OF_ONE: Final = re.compile(r"(?:cp|pp|pypy)(\d)(\d+)")


def oldest_python(environments: Iterable[Environment]) -> _Python:
    return min((python for each in environments for python in each.pythons), default=_EVERY)


def keep_for_others(
    project: NormalizedName, files: Sequence[RemoteFile], reasons: dict[str, str], oldest: _Python
) -> None:
    """Take out of ``reasons`` what has to stay of each release of ``files``, so that tools which lock for all
    platforms, and for any Pythons from the ``oldest`` on, see the release, and the same metadata.

    They take the first wheel of a release on the page that is for one of the Pythons, whatever its platform;
    and they lock for some of the Pythons apart where a marker tells them from others. But a build with a
    local version (``2.0+cpu``) is locked for the platforms of its wheels, beside the release without
    (``2.0``) for the others: of these, all stay.
    """
    releases: defaultdict[Release, list[RemoteFile]] = defaultdict(list)
    spelled: defaultdict[Release, set[Release]] = defaultdict(set)
    for file in files:
        if (release := release_in(project, file.filename)) is not None:
            releases[release].append(file)
            spelled[public_release(release)].add(release)
    for release, found in releases.items():
        public = public_release(release)
        keep = found if spelled[public] != {public} else _seen(found, reasons, oldest)
        for file in keep:
            reasons.pop(file.filename, None)


def _seen(files: Sequence[RemoteFile], reasons: Mapping[str, str], oldest: _Python) -> Iterator[RemoteFile]:
    """Yield what of a release has to stay besides; what was yielded is not among ``reasons`` any more."""
    wheels = [(_pythons(tags), file) for file in files if (tags := wheel_tags(file.filename)) is not None]
    locked = sorted({python for pythons, _ in wheels for python in pythons if python >= oldest})
    if not locked:
        yield from _needed([file for file in files if is_source_archive(file.filename)], reasons)
        yield from _needed([file for _, file in wheels], reasons)
    # Pythons are locked for one by one or several together; that differs where metadata do.
    longest = 1 if len({file.core_metadata for _, file in wheels}) == 1 else len(locked)
    for length in range(1, longest + 1):
        for start in reversed(range(len(locked) - length + 1)):
            together = {_EVERY, *locked[start : start + length]}
            yield from _needed(
                [file for pythons, file in wheels if not pythons.isdisjoint(together)], reasons
            )


def _needed(files: Sequence[RemoteFile], reasons: Mapping[str, str]) -> Iterator[RemoteFile]:
    """Yield the one of ``files`` that has to stay besides, so that the first that stays has the metadata of
    the first: the smallest where all have the same.
    """
    stays = next((file for file in files if file.filename not in reasons), None)
    if not files or (stays is not None and stays.core_metadata == files[0].core_metadata):
        return
    is_same = len({file.core_metadata for file in files}) == 1
    yield min(files, key=lambda file: (file.size or 0, file.filename)) if is_same else files[0]


@lru_cache(maxsize=65_536)
def _pythons(tags: str) -> frozenset[_Python]:
    """The Pythons that a wheel of these tags is for; those of Python 2 lock for nobody."""
    name = split_tags(tags)
    found = {_python(python, abi) for python in name.pythons for abi in name.abis}
    return frozenset(python for python in found if python is not None and python >= (3, 0))


def _python(python: str, abi: str) -> _Python | None:
    if abi == "abi3" or (abi == "none" and python.startswith("py3")):
        return _EVERY
    found = _OF_ONE.match(python if abi == "none" else abi)
    return None if found is None else (int(found[1]), int(found[2]))
