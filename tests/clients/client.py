"""A client as a stranger runs it: nothing of this machine's configuration, caches or variables reaches it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PATIENCE = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A program that ended; ``said`` is all it wrote."""

    code: int
    out: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A home directory, and programs run in it. Caches are below ``home`` and survive from run to run.

    ``variables`` is what the environment holds besides PATH, HOME and UTF-8; by default it keeps pip from
    reading any configuration, which it would look for outside of ``home`` too.
    """

    home: Path
    variables: dict[str, str] = field(default_factory=lambda: {"PIP_CONFIG_FILE": os.devnull})

    def run(self, command: Sequence[str | Path], *, cwd: Path | None = None) -> Ended:
        """Run to the end, whatever the exit code."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=cwd or self.home,
            env={"PATH": os.defpath, "HOME": str(self.home), "LANG": "C.UTF-8", **self.variables},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        return Ended(code=done.returncode, out=done.stdout, said=done.stdout + done.stderr)

    def succeed(self, command: Sequence[str | Path], *, cwd: Path | None = None) -> Ended:
        ended = self.run(command, cwd=cwd)
        assert ended.code == 0, ended.said
        return ended

    def fail(self, command: Sequence[str | Path], *, cwd: Path | None = None) -> str:
        """Run what must not succeed; returns what it said."""
        ended = self.run(command, cwd=cwd)
        assert ended.code != 0, ended.said
        return ended.said

    def new_environment(self, name: str = "venv") -> Path:
        """A fresh virtual environment without pip; returns its Python."""
        self.succeed([sys.executable, "-m", "venv", "--without-pip", self.home / name])
        return self.home / name / "bin" / "python"


_IMPORT_ALL = """\
import importlib, json
from importlib.metadata import distributions
found = {d.name.lower().replace(".", "-"): d.version for d in distributions()}
for name, version in found.items():
    module = importlib.import_module(name.replace("-", "_"))
    assert module.__version__ == version, (name, version)
print(json.dumps(found))
"""


def installed(client: Client, python: Path) -> dict[str, str]:
    """The versions in the environment of ``python``, by normalized name.

    Each is imported and asked for its version, which shows that files arrived, not only metadata.
    """
    found: dict[str, str] = json.loads(client.succeed([python, "-c", _IMPORT_ALL]).out)
    return found
