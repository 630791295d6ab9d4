"""A mirror of what requirement and lock files name: exactly that, and what they name after an edit."""

from pathlib import Path

import pytest

from pypi_mirror.errors import ConfigurationError
from pypi_mirror.model import RunState
from pypi_mirror.observing.explain import explain
from pypi_mirror.options.environments import parse_environment
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Upload, Wheel, small

LINUX = parse_environment("linux x86_64, CPython 3.11, glibc 2.28")
PLATFORMS = ("manylinux_2_17_x86_64.manylinux2014_x86_64", "win_amd64", "macosx_11_0_arm64")
COMPILED = tuple(f"compiled-1.0-cp311-cp311-{platform}.whl" for platform in PLATFORMS)
BETA = ("beta_lib-1.0-py3-none-any.whl", "beta_lib-1.1-py3-none-any.whl")


@pytest.fixture
def made(bench: MakeBench, tmp_path: Path) -> Bench:
    lists = tmp_path / "lists"
    lists.mkdir()
    allowed = AllowedPackages(requirements=("*",), requirements_path=lists)
    policy = Policy(allowed, ServedEnvironments(environments=(LINUX,)))
    return bench(scenario=small(), policy=policy)


def write(made: Bench, name: str, text: str) -> Path:
    folder = made.settings.policy.of(AllowedPackages).requirements_path
    assert folder is not None
    path = folder / name
    path.write_text(text)
    return path


def lock(made: Bench, *packages: tuple[str, str, tuple[str, ...]]) -> str:
    """A uv.lock of these projects, versions and files of the stand-in upstream."""
    text = "version = 1\nrequires-python = '>=3.11'\n"
    for name, version, files in packages:
        digests = ", ".join(f"{{ hash = 'sha256:{made.server.warehouse.file(f).sha256}' }}" for f in files)
        text += (
            f"[[package]]\nname = '{name}'\nversion = '{version}'\n"
            f"source = {{ registry = '{made.server.master}/simple' }}\nwheels = [{digests}]\n"
        )
    return text


def files(made: Bench) -> set[str]:
    """The package files on the disk."""
    pool = (path for path in (made.web / "packages").rglob("*") if path.is_file())
    return {path.name for path in pool if path.suffix in (".whl", ".gz")}


def projects(made: Bench) -> set[str]:
    return {path.name for path in (made.web / "simple").iterdir() if path.is_dir()}


def test_files_are_those_that_the_lock_names(made: Bench) -> None:
    write(
        made,
        "uv.lock",
        lock(
            made,
            ("alpha", "1.0", ("alpha-1.0.tar.gz",)),
            ("beta-lib", "1.0", (BETA[0],)),
            ("compiled", "1.0", (*COMPILED, "compiled-1.0.tar.gz")),
        ),
    )
    write(made, "requirements.txt", "Beta.Lib == 1.0\nold; sys_platform == 'win32'\n")
    assert made.sync().state is RunState.SUCCESS
    # Of beta-lib 1.1 is not asked for, of compiled only Linux is served, and alpha is locked as sdist alone.
    assert files(made) == {"alpha-1.0.tar.gz", BETA[0], COMPILED[0]}
    assert projects(made) == {"alpha", "beta-lib", "compiled"}
    audit(made)
    compare(made)


def test_a_changed_file_is_noticed_at_the_next_run(made: Bench) -> None:
    path = write(made, "requirements.txt", "beta-lib==1.0\nold\n")
    made.sync()
    assert files(made) == {BETA[0], "old-1.0-py3-none-any.whl"}
    made.server.requests.reset()
    made.sync()
    assert made.server.requests.of("page") == ()
    path.write_text("# now newer\nbeta-lib>=1.1\ncompiled\n")
    made.sync()
    assert projects(made) == {"beta-lib", "compiled"}
    assert made.listed("beta-lib") == [BETA[1]]
    assert set(made.listed("compiled")) == {COMPILED[0], "compiled-1.0.tar.gz"}
    audit(made)
    compare(made)
    # What is uploaded later belongs to what a specifier asks for, and not to a lock.
    made.server.apply(Upload(distribution=Wheel(name="Beta.Lib", version="1.2")))
    made.sync()
    assert made.listed("beta-lib") == [BETA[1], "beta_lib-1.2-py3-none-any.whl"]


def test_a_file_that_cannot_be_read_fails_the_run_before_it_begins(made: Bench) -> None:
    path = write(made, "requirements.txt", "alpha\n")
    made.sync()
    path.write_text("")
    with pytest.raises(ConfigurationError, match=r"requirements\.txt: names no project"):
        made.sync()
    path.unlink()
    with pytest.raises(ConfigurationError, match="no file matches"):
        made.sync()
    assert projects(made) == {"alpha"}
    path.write_text("alpha")
    assert made.sync().state is RunState.SUCCESS
    audit(made)


def test_explain_names_the_file_that_asks(made: Bench) -> None:
    path = write(made, "uv.lock", lock(made, ("compiled", "1.0", COMPILED)))
    write(made, "requirements.txt", "beta-lib==1.0\nbeta-lib==7\n")
    made.sync()
    with made.open() as mirror:
        compiled = explain(mirror, "compiled")  # type: ignore[arg-type]
        alpha = explain(mirror, "alpha")  # type: ignore[arg-type]
        beta = explain(mirror, "beta-lib")  # type: ignore[arg-type]
    assert compiled.why == f"{path} asks for compiled"
    by_name = {file.filename: file for file in compiled.files}
    assert (by_name[COMPILED[0]].admitted_by, by_name[COMPILED[0]].asked_by) == ("compiled==1.0", str(path))
    assert [refusal.reason for refusal in by_name["compiled-1.0.tar.gz"].refusals] == [
        f"{path} asks for other files of compiled==1.0, by their digests"
    ]
    assert (compiled.unmet, beta.unmet) == ((), (f"{path.parent}/requirements.txt:2 asks for beta-lib==7",))
    assert alpha.why == "no file of [allowlist] requirements asks for alpha"


def test_names_with_all_releases_as_bandersnatch_has_them(made: Bench) -> None:
    write(made, "requirements.txt", "beta-lib==1.0 --hash=sha256:" + "0" * 64)
    allowed = made.settings.policy.of(AllowedPackages)
    made.change(
        policy=Policy(
            AllowedPackages(
                requirements=("*.txt",),
                requirements_path=allowed.requirements_path,
                requirements_releases="all",
            )
        )
    )
    made.sync()
    assert made.listed("beta-lib") == list(BETA)
