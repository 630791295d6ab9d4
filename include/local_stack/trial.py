"""Installs a package from the mirror as a client would, into an environment that is thrown away."""

import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from local_stack.errors import StackError

TIMEOUT = 900
LOOKED_AT = 50
JSON_PAGE = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What pip installed, as ``name version``; ``dependencies``: with their dependencies."""

    packages: tuple[str, ...]
    dependencies: bool


def install(name: str, *, index_url: str, folder: Path, log: Path, dependencies: bool = True) -> Installed:
    """Install ``name`` with pip from ``index_url`` alone; StackError has pip's error."""
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    options = ["--index-url", index_url, "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    if not dependencies:
        options.append("--no-deps")
    if (address := urlsplit(index_url)).scheme == "http":
        # As in the pip.conf that clients are given: pip ignores plain http but on the loopback.
        options += ["--trusted-host", str(address.hostname)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        done = subprocess.run(
            [*pip, "install", *options, name],
            env=_isolated(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=TIMEOUT,
        )
    if done.returncode:
        words = [line for line in log.read_text().splitlines() if line.startswith("ERROR:")]
        raise StackError(
            f"pip could not install {name} from the mirror at {index_url}"
            + (f" ({words[-1].removeprefix('ERROR: ')})" if words else ""),
            log=log,
        )
    listed = subprocess.run(
        [*pip, "list", "--format", "json", "--disable-pip-version-check"],
        env=_isolated(),
        capture_output=True,
        check=True,
        timeout=TIMEOUT,
    )
    packages = tuple(f"{p['name']} {p['version']}" for p in json.loads(listed.stdout))
    shutil.rmtree(folder, ignore_errors=True)
    return Installed(packages=packages, dependencies=dependencies)


def find_installable(index_url: str) -> str | None:
    """A mirrored project that has a wheel for this Python; None when none of the first ones has."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Accept"] = JSON_PAGE
        supported = frozenset(sys_tags())
        try:
            root = session.get(index_url, timeout=60)
            root.raise_for_status()
            for project in root.json()["projects"][:LOOKED_AT]:
                page = session.get(f"{index_url}{project['name']}/", timeout=60)
                page.raise_for_status()
                if any(_fits(file["filename"], supported) for file in page.json()["files"]):
                    return str(project["name"])
        except (requests.RequestException, ValueError, KeyError) as error:
            raise StackError(f"the mirror at {index_url} does not answer as an index: {error}") from error
    return None


def _fits(filename: str, supported: frozenset[object]) -> bool:
    try:
        return not supported.isdisjoint(parse_wheel_filename(filename)[3])
    except InvalidWheelFilename:
        return False


def _isolated() -> dict[str, str]:
    """Our environment without anything that would have pip look elsewhere than in the mirror."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PIP_") and name.lower() not in ("http_proxy", "https_proxy", "all_proxy")
    }
    return kept | {"PIP_CONFIG_FILE": os.devnull}
