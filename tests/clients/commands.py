"""The command lines of pip, uv and Poetry, as a person on the mirror's network would type them."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.clients.site import Site

Command = list[str | Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pip:
    """pip as a module of ``python``; it installs into other environments."""

    python: Path

    def __call__(self, *words: str | Path, into: Path | None = None) -> Command:
        """``pip WORD…``, with whatever index pip is configured for; ``into`` is an environment's Python."""
        target: Command = [] if into is None else ["--python", into]
        return [self.python, "-m", "pip", "--disable-pip-version-check", "--no-input", *target, *words]

    def at(self, site: Site, verb: str, *words: str | Path, into: Path | None = None) -> Command:
        """``pip VERB WORD…`` with the mirror as the only index."""
        index = ("--index-url", site.index_url, "--trusted-host", site.host)
        return self(*verb.split(), *index, *words, into=into)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """The uv of .venv."""

    def __call__(self, *words: str | Path) -> Command:
        """``uv WORD…``, with whatever index uv is configured for."""
        found = shutil.which("uv", path=Path(sys.executable).parent)
        assert found is not None, "uv is one of requirements-dev.txt"
        return [found, "--no-python-downloads", "--no-progress", *words]

    def at(self, site: Site, verb: str, *words: str | Path) -> Command:
        """``uv VERB WORD…`` with the mirror as the only index."""
        return self("--no-config", *verb.split(), "--default-index", site.index_url, *words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poetry:
    """Poetry as a module of ``python``; the project names the index."""

    python: Path

    def __call__(self, *words: str) -> Command:
        return [self.python, "-m", "poetry", "--no-interaction", "--no-ansi", *words]
