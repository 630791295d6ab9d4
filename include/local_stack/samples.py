"""Real packages for the stand-in upstream: pip downloads them by name, once, into ``var/wheels``.

pip runs with the machine's own configuration here, that is how it finds the machine's index.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local_stack.errors import StackError

SAMPLE_PROJECTS = Path(__file__).with_name("sample_projects.txt")
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = {
    "Linux x86_64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "Linux aarch64": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
    "Windows": ("win_amd64",),
    "macOS": ("macosx_11_0_arm64",),
}
KINDS = ("any", "compiled", "sdist")
AT_ONCE = 4
TIMEOUT = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A line of the list: ``requirement`` is pinned, ``kinds`` say what to take of it."""

    requirement: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One call of pip; ``label`` is for people."""

    label: str
    options: tuple[str, ...]
    requirements: tuple[str, ...]

    @property
    def key(self) -> str:
        """Equal for equal calls: what a finished download is remembered by."""
        return " ".join((*self.options, *self.requirements))


def read_samples(path: Path = SAMPLE_PROJECTS) -> tuple[Sample, ...]:
    """The list of sample projects; StackError names a line that is not one."""
    samples = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        requirement, *kinds = line.partition("#")[0].split() or ("",)
        if not requirement:
            continue
        if "==" not in requirement or not kinds or set(kinds) - set(KINDS):
            raise StackError(f"{path}:{number}: not NAME==VERSION and some of {', '.join(KINDS)}: {line}")
        samples.append(Sample(requirement=requirement, kinds=tuple(kinds)))
    return tuple(samples)


def plan_downloads(samples: tuple[Sample, ...]) -> tuple[Download, ...]:
    """The calls of pip that bring all samples."""

    def of(kind: str) -> tuple[str, ...]:
        return tuple(s.requirement for s in samples if kind in s.kinds)

    wheels = ("--only-binary", ":all:")
    plan = [
        Download(
            label="wheels for every platform",
            options=(*wheels, "--implementation", "py", "--abi", "none", "--platform", "any"),
            requirements=of("any"),
        ),
        # pip looks into a source archive with its build backend: setuptools, which we have.
        Download(
            label="source archives",
            options=("--no-binary", ":all:", "--no-build-isolation"),
            requirements=of("sdist"),
        ),
    ]
    for platform, tags in PLATFORMS.items():
        for python in PYTHONS:
            options = [*wheels, "--python-version", python, "--implementation", "cp"]
            for tag in tags:
                options += ["--platform", tag]
            plan.append(
                Download(
                    label=f"wheels for {platform}, Python {python}",
                    options=tuple(options),
                    requirements=of("compiled"),
                )
            )
    return tuple(d for d in plan if d.requirements)


def fill(folder: Path, plan: tuple[Download, ...], *, say: Callable[[str], None]) -> list[str]:
    """Bring what is missing; nothing is asked of any index when nothing is missing.

    Returns a sentence for each requirement that cannot be downloaded; it is tried again the next time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    memory = folder.with_name(f"{folder.name}.json")
    known: dict[str, list[str]] = json.loads(memory.read_text()) if memory.exists() else {}
    missing = [
        d for d in plan if d.key not in known or not all((folder / name).exists() for name in known[d.key])
    ]
    failures: list[str] = []
    if missing:
        say(f"downloading sample packages with pip into {folder} (once; takes minutes)")
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        brought = zip(missing, pool.map(lambda d: _download(folder, d), missing), strict=True)
        for number, (download, (names, failed)) in enumerate(brought, 1):
            say(f"  {number} of {len(missing)}: {download.label}")
            failures += failed
            if not failed:
                known[download.key] = names
                memory.write_text(json.dumps(known, indent=1) + "\n")
    return failures


def _download(folder: Path, download: Download) -> tuple[list[str], list[str]]:
    """The names of the files that are there now, and a sentence for each requirement that failed.

    One call for all requirements is fast; when it fails, a call for each shows which one it was.
    """
    names, error = _pip_download(folder, download.options, download.requirements)
    if error is None:
        return names, []
    failures = []
    for requirement in download.requirements:
        more, error = _pip_download(folder, download.options, (requirement,))
        names += more
        if error is not None:
            failures.append(f"{requirement} ({download.label}): {error}")
    return names, failures


def _pip_download(
    folder: Path, options: tuple[str, ...], requirements: tuple[str, ...]
) -> tuple[list[str], str | None]:
    """Download into a folder aside, then move: a half-written file never looks like a whole one."""
    with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as aside:
        base = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
        try:
            done = subprocess.run(
                [*base, "--no-input", "--no-deps", "--dest", aside, *options, *requirements],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            return [], f"pip did not finish in {TIMEOUT} seconds"
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
            return [], (errors or done.stderr.splitlines() or ["pip failed"])[-1].removeprefix("ERROR: ")
        names = []
        for path in sorted(Path(aside).iterdir()):
            path.replace(folder / path.name)
            names.append(path.name)
        return names, None
