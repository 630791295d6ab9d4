"""Which names are files of a release, and which version such a name says.

The one table of extensions: an HTML index links many things, and only what ends like this is a file; the
filters split the same names. Upstream's JSON says itself what is a file, so nothing is left out there.
"""

import re
from functools import lru_cache
from typing import Final

from packaging.utils import NormalizedName

WHEEL: Final = ".whl"
EGG: Final = ".egg"
# The system that an installer is for where its name does not say; PEP 527 lists those that were accepted.
INSTALLERS: Final = {".exe": "win32", ".msi": "win32", ".dmg": "macosx_", ".rpm": "linux_", ".deb": "linux_"}
# Of sdists and of `bdist_dumb`: PEP 527 and what setuptools, pip and uv write or read besides.
ARCHIVES: Final = (
    ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz", ".tar.lzma", ".tar.Z", ".tar", ".tgz", ".tbz",
    ".tbz2", ".txz", ".tzst", ".tlz", ".zip", ".bz2",
)  # fmt: skip
# PEP 825: what an installer chooses among variant wheels by, listed beside them.
VARIANTS: Final = "-variants.json"
_FILE_ENDINGS: Final = (WHEEL, EGG, VARIANTS, *ARCHIVES, *INSTALLERS)

_TAIL = re.compile(r"(?:\.(?:win32|win[-_]|linux[-_]|macosx[-_]|freebsd[-_]).*)?\.(?:exe|msi|dmg)\Z")
_DUMB_TAIL = re.compile(r"\.(?:win32|win[-_]|linux[-_]|macosx[-_]|freebsd[-_]).*\Z")


def is_release_file(filename: str) -> bool:
    """Whether a link of this name on an HTML page is one to a file of a release."""
    return filename.endswith(_FILE_ENDINGS)


# To decide over a page asks it of each file up to nine times.
@lru_cache(maxsize=16_384)
def version_in(project: NormalizedName, filename: str) -> str | None:
    """The version that a file of ``project`` names, as spelled there; None when it names none.

    The project's name tells where the version begins: source archives may have dashes on either side of
    the border (``my-lib-1.0-beta.tar.gz``), which ``packaging.utils.parse_sdist_filename`` can't split.
    """
    match = _name_pattern(project).match(filename)
    if match is None:
        return None
    rest = filename[match.end() :]
    if rest.endswith((WHEEL, EGG)):
        # A dash of the version is an underscore there (PEP 427, and setuptools for eggs).
        return rest.partition("-")[0].removesuffix(EGG).replace("_", "-") or None
    if rest.endswith(VARIANTS):
        return rest.removesuffix(VARIANTS) or None
    if rest.endswith((".rpm", ".deb")):
        return rest.rpartition("-")[0] or None
    if rest.endswith((".exe", ".msi", ".dmg")):
        return _TAIL.sub("", rest) or None
    for extension in ARCHIVES:
        if rest.endswith(extension):
            return _DUMB_TAIL.sub("", rest.removesuffix(extension)) or None
    return None


@lru_cache(maxsize=4096)
def _name_pattern(project: NormalizedName) -> re.Pattern[str]:
    return re.compile("[-_.]+".join(map(re.escape, project.split("-"))) + "-", re.IGNORECASE)
