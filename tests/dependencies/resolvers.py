"""uv, pip and Poetry over an index, with caches of their own: what they answer to a question."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

_PATIENCE: Final = 120
# The one that pip runs on, as what the judges serve has it.
_THIS_MACHINE: Final = ("3.11", "x86_64-manylinux_2_28")
# The pre-releases that uv takes where nobody asks for others.
USUAL: Final = "if-necessary-or-explicit"
# The platform of who locks for all of them.
EVERYWHERE: Final = "all platforms"
_LINE: Final = re.compile(r" (?=p\d{3}-x==)")
_NAMES: Final = re.compile(r"\bp\d{3}-x\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A resolution to ask for."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    resolution: str = "highest"
    prerelease: str = USUAL
    python: str
    platform: str

    def options(self) -> list[str]:
        where = ["--universal"] if self.platform == EVERYWHERE else ["--python-platform", self.platform]
        return [
            *where,
            f"--python-version={self.python}",
            f"--resolution={self.resolution}",
            f"--prerelease={self.prerelease}",
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a resolver said; ``found`` are the pinned requirements, None where there is no solution."""

    found: tuple[str, ...] | None
    said: str

    @property
    def lines(self) -> list[str]:
        """The solution as uv and pip write it: a requirement a line, some with a marker."""
        return _LINE.split(" ".join(self.found or ()))

    @property
    def pins(self) -> set[str]:
        return {line.partition(" ")[0] for line in self.lines}

    @property
    def concerns(self) -> set[str]:
        """The projects of the solution, or those by which there is none."""
        return set(_NAMES.findall(self.said if self.found is None else " ".join(self.found)))


class Resolver(Protocol):
    """A resolver over one index, with caches of its own."""

    def answers(self, question: Question) -> bool:
        """Whether it can be asked that on this machine."""

    def __call__(self, question: Question) -> Answer: ...


class MakeResolver(Protocol):
    def __call__(self, *, index: str, home: Path) -> Resolver: ...


class Uv:
    def __init__(self, *, index: str, home: Path) -> None:
        found = shutil.which("uv", path=Path(sys.executable).parent)
        assert found is not None, "uv is one of requirements-dev.txt"
        self._uv = found
        self._index = index
        self._home = home
        home.mkdir(parents=True, exist_ok=True)

    def answers(self, _question: Question) -> bool:
        return True

    def __call__(self, question: Question) -> Answer:
        wanted, limits = self._home / "requirements.in", self._home / "constraints.txt"
        wanted.write_text("\n".join(question.requirements))
        limits.write_text("\n".join(question.constraints))
        done = _run(
            self._home,
            *(self._uv, "pip", "compile", "--quiet", "--no-config", "--no-header", "--no-annotate"),
            *("--no-python-downloads", "--default-index", self._index, *question.options()),
            *("--constraint", limits, wanted),
        )
        return Answer(found=tuple(done.stdout.split()) if done.returncode == 0 else None, said=done.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pip:
    """pip, which resolves for the machine that it runs on, and the newest that a requirement admits."""

    python: Path
    index: str
    home: Path

    def answers(self, question: Question) -> bool:
        return (question.python, question.platform) == _THIS_MACHINE and question.resolution == "highest"

    def __call__(self, question: Question) -> Answer:
        self.home.mkdir(parents=True, exist_ok=True)
        limits, report = self.home / "constraints.txt", self.home / "report.json"
        limits.write_text("\n".join(question.constraints))
        host = urlsplit(self.index).hostname or ""
        done = _run(
            self.home,
            *(self.python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"),
            *("--dry-run", "--ignore-installed", "--report", report, "--only-binary", ":all:"),
            *("--index-url", self.index, "--trusted-host", host, "--constraint", limits),
            *(["--pre"] if question.prerelease == "allow" else []),
            *question.requirements,
        )
        if done.returncode != 0:
            return Answer(found=None, said=done.stderr)
        chosen = [each["metadata"] for each in json.loads(report.read_text())["install"]]
        found = sorted(f"{canonicalize_name(each['name'])}=={each['version']}" for each in chosen)
        return Answer(found=tuple(found), said=done.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poetry:
    """Poetry, which locks for all platforms."""

    python: Path
    index: str
    home: Path

    def answers(self, question: Question) -> bool:
        is_plain = question.resolution == "highest" and not question.constraints
        return question.platform == EVERYWHERE and is_plain

    def __call__(self, question: Question) -> Answer:
        project = self.home / "project"
        shutil.rmtree(project, ignore_errors=True)
        project.mkdir(parents=True)
        needs = ", ".join(f'"{each}"' for each in question.requirements)
        (project / "pyproject.toml").write_text(
            f'[project]\nname = "judge"\nversion = "1"\nrequires-python = ">={question.python},<4"\n'
            f"dependencies = [{needs}]\n[tool.poetry]\npackage-mode = false\n"
            f'[[tool.poetry.source]]\nname = "mirror"\nurl = "{self.index}"\npriority = "primary"\n'
        )
        done = _run(
            self.home,
            *(self.python, "-m", "poetry", "--no-interaction", "--no-ansi", "lock"),
            *("--directory", project),
        )
        if done.returncode != 0:
            return Answer(found=None, said=done.stdout + done.stderr)
        locked = tomllib.loads((project / "poetry.lock").read_text())["package"]
        found = sorted(f"{each['name']}=={each['version']} {each.get('markers', '')}" for each in locked)
        return Answer(found=tuple(found), said="")


def _run(home: Path, *command: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        env={
            "PATH": os.defpath,
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PIP_CONFIG_FILE": os.devnull,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        },
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
