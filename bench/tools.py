"""What is compared: our mirror, bandersnatch, and as the floor what a good shell script costs."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Protocol

from bench.catalogue import StaticTree

_HERE = Path(__file__).parent
BANDERSNATCH_REQUIREMENTS = _HERE / "requirements-bandersnatch.txt"
PROFILE_REQUIREMENTS = _HERE / "requirements-profile.txt"
CELERY_REQUIREMENTS = _HERE / "requirements-celery.txt"
# In a folder that was installed into: from what.
_STAMP = "requirements.txt"
# bandersnatch refuses more.
WORKERS = 10
_FLOOR = (
    f'curl --silent --show-error --fail --parallel --parallel-max {WORKERS} --create-dirs --config "$1"; '
    'find "$2" -type f -print0 | xargs -0 sha256sum > "$2.sha256"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing to do: mirror the tree at ``master`` into ``directory``, with or without files."""

    directory: Path
    master: str
    tree: StaticTree
    release_files: bool = True

    @property
    def web(self) -> Path:
        return self.directory / "web"

    @property
    def files_option(self) -> str:
        """The lines about files, the same in both mirrors' configurations."""
        return "" if self.release_files else "release-files = false\nroot_uri = https://files.example\n"


class Tool(Protocol):
    name: str

    def command(self, job: Job) -> list[str]:
        """What does ``job``; makes ``job.directory`` and a configuration beside it where they are missing."""
        ...


class Ours:
    """With its default concurrency: so many requests at once in as many processes as there are cores."""

    name = "ours"

    def command(self, job: Job) -> list[str]:
        job.directory.mkdir(parents=True, exist_ok=True)
        configuration = job.directory.with_suffix(".conf")
        configuration.write_text(
            "[mirror]\n"
            f"directory = {job.directory}\n"
            f"master = {job.master}\n"
            "allow-non-https = true\n"
            f"{job.files_option}"
            "[site]\nenabled = false\n"
        )
        program = Path(sys.executable).parent / "pypi-mirror"
        return [str(program), "sync", "-c", str(configuration)]


class Bandersnatch:
    """As many workers as it allows, everything else as it comes."""

    name = "bandersnatch"

    def __init__(self, environment: Path) -> None:
        self._program = environment / "bin" / "bandersnatch"

    def command(self, job: Job) -> list[str]:
        job.directory.mkdir(parents=True, exist_ok=True)
        configuration = job.directory.with_suffix(".conf")
        configuration.write_text(
            "[mirror]\n"
            f"directory = {job.directory}\n"
            f"master = {job.master}\n"
            "allow-non-https = true\n"
            f"{job.files_option}"
            f"workers = {WORKERS}\n"
            "timeout = 60\n"
        )
        return [str(self._program), "-c", str(configuration), "mirror"]


class Floor:
    """``curl -Z`` over the same addresses, then ``sha256sum`` over what it brought: no list to make, no page,
    no ledger.
    """

    name = "the floor"

    def command(self, job: Job) -> list[str]:
        job.directory.mkdir(parents=True, exist_ok=True)
        listing = job.directory.with_suffix(".curl")
        with listing.open("w") as file:
            for address in job.tree.addresses(release_files=job.release_files):
                target = f"{address}index.json" if address.endswith("/") else address
                file.write(f'url = "{job.master}/{address}"\noutput = "{job.web}/{target}"\n')
        return ["bash", "-euo", "pipefail", "-c", _FLOOR, "floor", str(listing), str(job.web)]


def install_bandersnatch(home: Path) -> Path:
    """bandersnatch in an environment of its own below ``home``, pinned and hash-checked."""
    return _environment(home / "bandersnatch-environment", BANDERSNATCH_REQUIREMENTS, find_python)


def install_py_spy(home: Path) -> Path:
    """The program py-spy, in an environment of its own below ``home``."""
    environment = _environment(home / "profile-environment", PROFILE_REQUIREMENTS, lambda: sys.executable)
    return environment / "bin" / "py-spy"


def install_celery(home: Path) -> Path:
    """A folder of Celery's packages to put on the path of the Python that we run under."""
    folder = home / "celery"
    _install(folder, CELERY_REQUIREMENTS, [sys.executable], ["--upgrade", "--target", str(folder)])
    return folder


def _environment(environment: Path, requirements: Path, python: Callable[[], str]) -> Path:
    if not _is_installed(environment, requirements):
        subprocess.run([python(), "-m", "venv", "--clear", environment], check=True)
    _install(environment, requirements, [str(environment / "bin" / "python")], [])
    return environment


def _install(folder: Path, requirements: Path, python: list[str], options: list[str]) -> None:
    if _is_installed(folder, requirements):
        return
    subprocess.run(
        [
            *python, "-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check",
            *options, "--require-hashes", "-r", str(requirements),
        ],
        check=True,
    )  # fmt: skip
    (folder / _STAMP).write_text(requirements.read_text())


def _is_installed(folder: Path, requirements: Path) -> bool:
    stamp = folder / _STAMP
    return stamp.exists() and stamp.read_text() == requirements.read_text()


def find_python() -> str:
    """A Python that bandersnatch takes (3.12 or later): ``$BENCH_PYTHON``, else what is found here."""
    wanted = os.environ.get("BENCH_PYTHON")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates: Sequence[str | None] = (
        [wanted]
        if wanted
        else [
            *(which(f"python3.{minor}") for minor in (14, 13, 12)),
            *(str(path) for path in sorted(pyenv.glob("3.1[2-9]*/bin/python3"), reverse=True)),
            which("python3"),
        ]
    )
    check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))"
    for candidate in candidates:
        if candidate and subprocess.run([candidate, "-c", check], capture_output=True).returncode == 0:
            return candidate
    raise SystemExit(
        "bench: bandersnatch 8.2.0 needs Python 3.12 or later and there is none here; "
        "name one with BENCH_PYTHON=/path/to/python3.13"
    )
