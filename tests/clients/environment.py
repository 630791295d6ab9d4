"""The environment with Poetry and the newest pip, made once from ``requirements-poetry.txt`` and kept.

It is never ``.venv``: Poetry pins what Airflow pins otherwise. ``PYPI_MIRROR_TEST_CLIENTS`` names the folder
to keep it in, ``var/clients`` by default; CI can carry that folder from one run to the next.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.requirements_present import require

_REPOSITORY = Path(__file__).resolve().parents[2]
_REQUIREMENTS = _REPOSITORY / "requirements-poetry.txt"
_PATIENCE = 600.0


def clients_python() -> Path:
    """The Python of that environment, made when it is missing or of other requirements.

    Where it cannot be made, the test is skipped, or fails with ``CI_REQUIRE_ALL`` set.
    """
    root = Path(os.environ.get("PYPI_MIRROR_TEST_CLIENTS") or _REPOSITORY / "var" / "clients")
    folder = root / "poetry"
    python = folder / "bin" / "python"
    key = f"{sys.version} {folder} {_REQUIREMENTS.read_text()}"
    wanted = hashlib.sha256(key.encode()).hexdigest()
    stamp = folder / "made-from"
    root.mkdir(parents=True, exist_ok=True)
    # Parallel test processes find it made, or wait for the one that makes it.
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _make(folder, python)
            stamp.write_text(wanted)
    return python


def _make(folder: Path, python: Path) -> None:
    _run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder))
    # As `make setup` does it: with the pip, the index and the caches that this machine is set up for.
    install = ("install", "--quiet", "--disable-pip-version-check", "--require-hashes")
    _run(sys.executable, "-m", "pip", "--python", str(python), *install, "-r", str(_REQUIREMENTS))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    said = done.stderr.strip()[-2000:]
    require(done.returncode == 0, f"an environment of {_REQUIREMENTS.name} ({said})")
