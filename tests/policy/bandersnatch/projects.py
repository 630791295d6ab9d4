"""Projects made up by a seed, as upstream's legacy JSON has them: what bandersnatch's filters look at.

The standard library alone, since the environment of bandersnatch imports it too.
"""

import hashlib
import random
from collections.abc import Iterator
from typing import Any

_NAMES = ("Alpha-Tool", "my_test", "zope.thing", "numpy-nightly", "big-data", "many", "only-pre", "Old.Style")
_FINALS = ("0.1", "0.9", "1.0", "1.1", "1.1.1", "1.10", "2.0", "3.0.post1", "10.0")
_OTHERS = ("1.1a1", "1.1b2", "2.0rc1", "2.0.dev3", "3.0a0", "11.0rc2", "2004d", "1.0+local.1")
_NEWER = (
    *("2004d", "1.0a1", "1.0b1", "1.0rc1", "1.1a1", "1.1b2", "2.0.dev3", "2.0rc1", "3.0a0", "11.0rc2"),
    *("0.1", "0.9", "1.0", "1.0+local.1", "1.1", "1.1.1", "1.10", "2.0", "3.0.post1", "10.0"),
)
_TAGS = (
    "py3-none-any",
    "py2-none-any",
    "cp312-cp312-win_amd64",
    "cp312-cp312-manylinux_2_17_x86_64",
    "cp311-cp311-macosx_11_0_arm64",
)
_PYTHONS = (None, "", ">=3.8", ">=3.11", "<3", ">=2.7,!=3.0.*", "~=3.12")


def projects(seed: int = 12) -> Iterator[dict[str, Any]]:
    """Yield the legacy JSON of some thirty projects, the same at each call."""
    draw = random.Random(seed)
    for number in range(32):
        name = _NAMES[number] if number < len(_NAMES) else f"{draw.choice(_NAMES)}{number}"
        yield _project(name, draw)


def _project(name: str, draw: random.Random) -> dict[str, Any]:
    versions = draw.sample(_FINALS, draw.randint(0, 6)) + draw.sample(_OTHERS, draw.randint(0, 5))
    if name == "only-pre" or not versions:
        versions = ["1.0a1", "1.0b1", "1.0rc1"]
    draw.shuffle(versions)
    moment = draw.randint(0, 1000)
    releases = {}
    for version in versions:
        moment += draw.randint(1, 400)
        releases[version] = list(_files(name, version, moment, draw))
    whole = [version for version in versions if not releases[version][0]["yanked"]]
    return {
        "info": {"name": name, "version": _current(whole or versions)},
        "releases": releases,
        "last_serial": 1,
    }


def _current(versions: list[str]) -> str:
    """Return the newest of the finals, else of the pre-releases, as upstream does; yanked ones come last."""
    return max(versions, key=_NEWER.index)


def _files(name: str, version: str, moment: int, draw: random.Random) -> Iterator[dict[str, Any]]:
    wheel_name = name.replace("-", "_").replace(".", "_")
    filenames = [f"{name}-{version}.tar.gz"] if draw.random() < 0.8 else []
    filenames += [f"{wheel_name}-{version}-{tag}.whl" for tag in draw.sample(_TAGS, draw.randint(0, 4))]
    python = draw.choice(_PYTHONS)
    yanked = draw.random() < 0.15
    for place, filename in enumerate(filenames or [f"{name}-{version}.zip"]):
        wheel = filename.endswith(".whl")
        digest = hashlib.sha256(filename.encode()).hexdigest()
        yield {
            "filename": filename,
            "url": f"https://files.example/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{filename}",
            "size": draw.choice((900, 40_000, 5_000_000, 700_000_000)),
            "packagetype": "bdist_wheel" if wheel else "sdist",
            "python_version": filename.split("-")[-3] if wheel else "source",
            "requires_python": python,
            "yanked": yanked,
            "yanked_reason": "broken" if yanked else None,
            "upload_time": f"{_time(moment + place)}",
            "upload_time_iso_8601": f"{_time(moment + place)}.000000Z",
            "digests": {"sha256": digest, "md5": digest[:32]},
            "md5_digest": digest[:32],
            "has_sig": False,
        }


def _time(hours: int) -> str:
    days, hour = divmod(hours, 24)
    year, day = divmod(days, 336)
    return f"{2015 + year}-{day // 28 + 1:02}-{day % 28 + 1:02}T{hour:02}:00:00"
