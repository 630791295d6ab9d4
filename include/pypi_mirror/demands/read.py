"""One file of demands, in whatever format its name says, with the files that it includes."""

import codecs
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from pypi_mirror.demands import (
    pdm_lock,
    pipfile_lock,
    poetry_lock,
    pylock,
    pyproject,
    requirements_txt,
    uv_lock,
)
from pypi_mirror.demands.demand import BadDemands, Demands, Found, ReadFile, state_of
from pypi_mirror.wording import size

# The largest lock files of public repositories have a few megabytes.
MOST_BYTES: Final = 32 << 20
MOST_FILES: Final = 1000

Reader = Callable[[str, str], Demands]

# By how names end, so that copies can be told apart: ``app.uv.lock``, ``shop-poetry.lock``.
_READERS: Final[Mapping[str, Reader]] = {
    "pyproject.toml": pyproject.read,
    "uv.lock": uv_lock.read,
    "poetry.lock": poetry_lock.read,
    "pdm.lock": pdm_lock.read,
    "Pipfile.lock": pipfile_lock.read,
}
# PEP 751: pylock.toml, pylock.<name>.toml.
_PYLOCK: Final = re.compile(r"(?:.*[._-])?pylock(?:\.[^.]+)?\.toml")
_OTHERS: Final = (".cfg", ".json", ".lock", ".py", ".toml", ".yaml", ".yml", "Pipfile")
_CODING: Final = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
KNOWN: Final = "requirements.txt, pyproject.toml, pylock.toml, uv.lock, poetry.lock, pdm.lock, Pipfile.lock"


def read_demands(path: Path, environ: Mapping[str, str] = os.environ) -> Demands:
    """Return what the file ``path`` wants, with the files that it includes.

    ``environ`` has the variables that requirement files may name (``${NAME}``). Raises BadDemands.
    """
    reader = reader_of(path.name)
    files = Files()
    if reader is None:
        demands = requirements_txt.read(path, files.text, environ)
    else:
        demands = reader(files.text(path), str(path))
    return replace(demands, files=tuple(files.read))


def reader_of(name: str) -> Reader | None:
    """Return the reader of files of this name, None for that of requirement files."""
    if _PYLOCK.fullmatch(name):
        return pylock.read
    for ending, reader in _READERS.items():
        if name.endswith(ending) and not name.removesuffix(ending)[-1:].isalnum():
            return reader
    if name.endswith(_OTHERS):
        raise BadDemands(f"{name}: its name is of no format that can be read: {KNOWN}")
    return None


class Files:
    """Texts of files, bounded in size and number."""

    def __init__(self) -> None:
        self.read: list[ReadFile] = []

    def text(self, path: Path) -> str:
        found = Found(file=str(path))
        if len(self.read) == MOST_FILES:
            found.fail(f"over {MOST_FILES:,} files are included; name fewer")
        # Before it is read: what changes meanwhile is seen the next time.
        self.read.append(ReadFile(path=path, state=state_of(path)))
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except OSError as error:
            found.fail(f"cannot be read ({error.strerror or error}); correct the path, or the permissions")
        if len(data) > MOST_BYTES:
            found.fail(f"is larger than {size(MOST_BYTES)}; is it the right file?")
        return _decoded(data, found)


def _decoded(data: bytes, found: Found) -> str:
    """As pip does it: a byte order mark, else the first two lines name the encoding, else UTF-8."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        named = (_CODING.match(line) for line in data.split(b"\n", 2)[:2])
        encoding = next((match[1].decode("ascii") for match in named if match), "utf-8")
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found.fail(f"is not {encoding} text here; save it as UTF-8", line)
    except LookupError:
        found.fail(f"its first lines name the encoding {encoding!r}, which does not exist; save it as UTF-8")
