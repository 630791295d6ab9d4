"""The real bandersnatch 8.2.0, in an environment of its own; it needs another Python than we support."""

import fcntl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.tools import find_python, install_bandersnatch
from tests.requirements_present import require

_HOME = Path(__file__).parent.parent / "var" / "bandersnatch"


@dataclass(frozen=True, kw_only=True)
class Bandersnatch:
    """Its program; ``mirror`` runs it once over a directory."""

    program: Path

    def mirror(self, directory: Path, master: str, *lines: str) -> "subprocess.CompletedProcess[str]":
        """One run, with its options as lines of ``[mirror]``; what it logged is in ``stderr``."""
        configuration = directory.with_suffix(".bandersnatch.conf")
        configuration.write_text(
            "\n".join(
                (
                    "[mirror]",
                    f"directory = {directory}",
                    f"master = {master}",
                    "allow-non-https = true",
                    "timeout = 60",
                    *lines,
                    "",
                )
            )
        )
        command = [str(self.program), "-c", str(configuration), "mirror"]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="session")
def bandersnatch() -> Bandersnatch:
    """Skips where there is no Python for it; workers that want it at once install it once."""
    try:
        find_python()
    except SystemExit as error:
        require(False, str(error))
    _HOME.mkdir(parents=True, exist_ok=True)
    with (_HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment = install_bandersnatch(_HOME)
    return Bandersnatch(program=environment / "bin" / "bandersnatch")
