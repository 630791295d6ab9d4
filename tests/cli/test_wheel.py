"""The engine as a wheel: its command line works alone, where nothing is but what its metadata names."""

import os
import shutil
import subprocess
import sys
import venv
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.warehouse import Upload, Warehouse, Wheel, running

ROOT = Path(__file__).parents[2]


def required(wheel: Path, environment: Path) -> None:
    """Link what the wheel requires, and what that requires in turn, from the environment of the tests."""
    (metadata,) = environment.glob("pypi_mirror-*.dist-info/METADATA")
    lines = metadata.read_text().splitlines()
    todo = [line.partition(":")[2] for line in lines if line.startswith("Requires-Dist:")]
    seen: set[str] = set()
    while todo:
        requirement = Requirement(todo.pop())
        name = canonicalize_name(requirement.name)
        if name in seen or not (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        todo += found.requires or ()
        for top in {file.parts[0] for file in found.files or () if ".." not in file.parts}:
            target = Path(str(found.locate_file(top)))
            if target.exists() and not (environment / top).exists():
                (environment / top).symlink_to(target)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``pypi-mirror`` of an environment of its own, where neither Airflow is nor this checkout."""
    home = tmp_path_factory.mktemp("wheel")
    source = home / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "include", source / "include", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
         "--wheel-dir", home, source],
        check=True,
    )  # fmt: skip
    (wheel,) = home.glob("*.whl")
    venv.create(home / "environment", with_pip=False)
    python = home / "environment/bin/python"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            wheel,
        ],
        check=True,
    )
    (packages,) = (home / "environment/lib").glob("python3*/site-packages")
    required(wheel, packages)
    return home / "environment/bin/pypi-mirror"


def run(program: Path, home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [program, *arguments],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_the_engine_alone(program: Path) -> None:
    (packages,) = (program.parents[1] / "lib").glob("python3*/site-packages")
    assert (packages / "pypi_mirror").is_dir()
    for other in ("mirror_airflow", "local_stack", "airflow", "tests"):
        assert not (packages / other).exists()


def test_every_verb_has_what_it_needs(program: Path, tmp_path: Path) -> None:
    listed = run(program, tmp_path, "--help")
    verbs = [
        line.split()[0] for line in listed.splitlines() if line.startswith("    ") and line[4:5].isalpha()
    ]
    assert {"sync", "plan", "status", "audit"} <= set(verbs)
    for verb in verbs:
        assert f"usage: pypi-mirror {verb}" in run(program, tmp_path, verb, "--help")


def test_a_mirror_is_made_seen_and_audited(program: Path, tmp_path: Path) -> None:
    flask = Upload(distribution=Wheel(name="flask", version="3.0", requires_dist=("click",)))
    with running(Warehouse(flask, Upload(distribution=Wheel(name="click", version="8.0")))) as upstream:
        conf = tmp_path / "mirror.conf"
        conf.write_text(
            f"[mirror]\ndirectory = mirror\nmaster = {upstream.master}\nallow-non-https = true\n"
            "[allowlist]\npackages = flask\n[dependencies]\nfollow = yes\n"
        )
        for arguments, said in (
            (("config", "check"), "no mistakes in mirror.conf"),
            (("plan",), "sync flask"),
            (("sync",), "2 projects synced, 0 removed"),
            (("status",), "2 projects"),
            (("explain", "click"), "flask > click"),
            (("list",), "click-8.0-py3-none-any.whl"),
            (("audit",), ""),
            (("nginx", "render"), "location"),
            (("ledger", "backup", "copy.sqlite"), ""),
        ):
            assert said in run(program, tmp_path, *arguments, "-c", "mirror.conf"), arguments
