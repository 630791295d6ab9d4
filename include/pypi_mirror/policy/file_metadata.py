"""What bandersnatch's filters over metadata name (``not-null:release_file.requires_python``), and its values.

Of the fields of a file in upstream's legacy JSON, those that a simple page (PEP 691, 700) or the file's name
says. An empty value is none.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import BadValue
from pypi_mirror.options.parsers import nearest
from pypi_mirror.policy.filenames import Kind, describe_other
from pypi_mirror.release_files import EGG, VARIANTS, WHEEL, version_in

NOT_NULL: Final = "not-null"
MATCH_NULL: Final = "match-null"
_INSTALLER_TYPES: Final = {
    ".exe": "bdist_wininst",
    ".msi": "bdist_msi",
    ".dmg": "bdist_dmg",
    ".rpm": "bdist_rpm",
}


class MetadataRule(Struct, frozen=True, kw_only=True):
    """One line ``key = text``; ``key`` is a path with tags before it. The rules of a key belong together."""

    key: str
    text: str

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(self.key.split(":")[:-1])

    @property
    def path(self) -> str:
        return self.key.rpartition(":")[2]


def format_rule(rule: MetadataRule) -> str:
    return f"{rule.key} = {rule.text}"


def split_rule(line: str, tags: tuple[str, ...], paths: tuple[str, ...]) -> MetadataRule:
    """Return ``tag:path = text`` as a rule; BadValue names what is neither a tag nor a path."""
    key, equals, text = (part.strip() for part in line.partition("="))
    if not equals or not text:
        raise BadValue(f"{line!r}: write a key and what it must match, like `{paths[0]} = …`")
    *given, path = (part.strip() for part in key.split(":"))
    for tag in given:
        if tag not in tags:
            raise BadValue(f"{tag!r} is none of {', '.join(tags)}{nearest(tag, tags)}")
    if path not in paths:
        raise BadValue(
            f"{path!r} is not on upstream's simple pages; what can be compared is {', '.join(paths)}"
            f"{nearest(path, paths)}"
        )
    return MetadataRule(key=":".join((*given, path)), text=text)


def packagetype(filename: str) -> str | None:
    """Return what upstream calls the file's kind, as far as its name says it."""
    if filename.endswith(VARIANTS):
        return None
    if filename.endswith(WHEEL):
        return "bdist_wheel"
    if filename.endswith(EGG):
        return "bdist_egg"
    kind = describe_other(filename).kind
    if kind is Kind.INSTALLER:
        return _INSTALLER_TYPES.get(filename[-4:].lower())
    return "bdist_dumb" if kind is Kind.DUMB else "sdist"


_VALUES: Final[dict[str, Callable[[RemoteFile], str | None]]] = {
    "release_file.filename": lambda file: file.filename,
    "release_file.packagetype": lambda file: packagetype(file.filename),
    "release_file.requires_python": lambda file: file.requires_python,
    "release_file.url": lambda file: file.url,
    "release_file.size": lambda file: None if file.size is None else str(file.size),
    "release_file.yanked": lambda file: "false" if file.yanked is None else "true",
    "release_file.yanked_reason": lambda file: file.yanked,
    # Upstream's legacy JSON has the time without a fraction and a zone here, and with both there.
    "release_file.upload_time": lambda file: (file.upload_time or "")[:19],
    "release_file.upload_time_iso_8601": lambda file: file.upload_time,
    "release_file.digests.sha256": lambda file: file.sha256,
}
RELEASE: Final = "release"
PATHS: Final = (*_VALUES, RELEASE)


def value_at(path: str, project: NormalizedName, file: RemoteFile) -> str | None:
    """Return the value of ``file`` at a path of ``PATHS``, None where it has none."""
    value = version_in(project, file.filename) if path == RELEASE else _VALUES[path](file)
    return value or None
