"""``make offline`` fills a directory from which ``make setup`` needs no index."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local_stack.layout import CHECKOUT
from tests.requirements_present import require

pytestmark = [pytest.mark.slow, pytest.mark.servers]

# Nothing listens there: whatever asks an index fails.
_NOWHERE = "http://127.0.0.1:9"
_INSIDE = {
    **dict.fromkeys(("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX"), f"{_NOWHERE}/simple/"),
    **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _NOWHERE),
    "PIP_CONFIG_FILE": os.devnull,
}


def make(
    directory: Path, *arguments: str, home: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    if home is not None:
        # Without caches, and without what this machine's pip and uv are set up for.
        environment = {
            name: value for name, value in environment.items() if not name.startswith(("PIP_", "UV_"))
        }
        environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    return subprocess.run(
        ["make", *arguments],
        cwd=directory,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_setup_installs_from_what_offline_filled(tmp_path: Path) -> None:
    carried = tmp_path / "carried"
    done = make(CHECKOUT, "offline", f"OFFLINE={carried}")
    require(done.returncode == 0, f"the packages of requirements.txt ({done.stderr[-1000:]})")
    assert "Python 3." in (carried / "README.md").read_text()

    inside = tmp_path / "inside"
    inside.mkdir()
    for name in ("Makefile", "README.md", "pyproject.toml", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(CHECKOUT / name, inside)
    for name in ("include", "plugins"):
        shutil.copytree(CHECKOUT / name, inside / name, ignore=shutil.ignore_patterns("*.egg-info"))
    done = make(inside, "setup", f"WHEELS={carried}/wheels", home=tmp_path, **_INSIDE)
    assert done.returncode == 0, done.stderr
    shown = subprocess.run(
        [inside / ".venv/bin/pypi-mirror", "--version"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("pypi-mirror ")

    shutil.rmtree(inside / ".venv")
    damaged = next((carried / "wheels").glob("packaging-*.whl"))
    damaged.write_bytes(damaged.read_bytes() + b"?")
    done = make(inside, "setup", f"WHEELS={carried}/wheels", home=tmp_path, **_INSIDE)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
