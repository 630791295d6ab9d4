from pathlib import Path

import pytest

from local_stack import samples
from local_stack.bring_up import write_sample_conf
from local_stack.errors import StackError
from local_stack.layout import CHECKOUT, Layout
from local_stack.mirror_once import SAMPLE_PACKAGE
from local_stack.samples import Sample, fill, plan_downloads, read_samples
from pypi_mirror.settings.read import read_settings

TWO = (
    Sample(requirement="alpha==1.0", kinds=("any", "sdist")),
    Sample(requirement="beta==2.0", kinds=("compiled",)),
)


class Pip:
    """Stands in for pip: makes a file for each requirement, except those that are to fail."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.broken: set[str] = set()

    def __call__(
        self, folder: Path, options: tuple[str, ...], requirements: tuple[str, ...]
    ) -> tuple[list[str], str | None]:
        self.calls.append(requirements)
        if self.broken.intersection(requirements):
            return [], "no matching distribution"
        names = [f"{abs(hash(options))}-{requirement}.whl" for requirement in requirements]
        for name in names:
            (folder / name).write_bytes(b"wheel")
        return names, None


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    pip = Pip()
    monkeypatch.setattr(samples, "_pip_download", pip)
    return pip


def quiet(_: str) -> None:
    pass


def test_the_list_is_readable_and_has_what_the_trial_installs() -> None:
    listed = read_samples()
    assert 30 <= len(listed) <= 45
    assert any(s.requirement.startswith("flask==") for s in listed)
    assert {kind for s in listed for kind in s.kinds} == {"any", "compiled", "sdist"}


def test_the_sample_mirror_names_what_the_list_has_and_follows_what_that_requires(tmp_path: Path) -> None:
    conf = write_sample_conf(Layout(CHECKOUT, var=tmp_path), upstream_port=1, site_port=2)
    policy = read_settings(conf, {}).policy
    assert policy.follows
    listed = {each.requirement.partition("==")[0] for each in read_samples()}
    assert SAMPLE_PACKAGE in policy.allowed.projects < listed


@pytest.mark.parametrize("line", ["alpha any", "alpha==1.0", "alpha==1.0 every"])
def test_a_line_that_says_nothing_useful_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"# comment\n\n{line}\n")
    with pytest.raises(StackError, match=r"list\.txt:3"):
        read_samples(path)


def test_every_platform_and_python_is_asked_for() -> None:
    plan = plan_downloads(TWO)
    assert [d.requirements for d in plan[:2]] == [("alpha==1.0",), ("alpha==1.0",)]
    compiled = plan[2:]
    assert len(compiled) == 12
    assert {d.requirements for d in compiled} == {("beta==2.0",)}
    for word in ("win_amd64", "macosx_11_0_arm64", "manylinux2014_x86_64", "manylinux2014_aarch64"):
        assert sum(word in d.options for d in compiled) == 3


def test_a_second_time_nothing_is_downloaded(tmp_path: Path, pip: Pip) -> None:
    plan = plan_downloads(TWO)
    fill(tmp_path / "wheels", plan, say=quiet)
    asked, files = len(pip.calls), sorted((tmp_path / "wheels").iterdir())
    fill(tmp_path / "wheels", plan, say=lambda text: pytest.fail(text))
    assert len(files) == 14
    assert len(pip.calls) == asked
    assert sorted((tmp_path / "wheels").iterdir()) == files


def test_a_deleted_file_is_downloaded_again(tmp_path: Path, pip: Pip) -> None:
    plan = plan_downloads(TWO)
    fill(tmp_path / "wheels", plan, say=quiet)
    asked, files = len(pip.calls), sorted((tmp_path / "wheels").iterdir())
    files[0].unlink()
    fill(tmp_path / "wheels", plan, say=quiet)
    assert len(pip.calls) == asked + 1
    assert sorted((tmp_path / "wheels").iterdir()) == files


def test_a_project_that_cannot_be_had_does_not_cost_the_others(tmp_path: Path, pip: Pip) -> None:
    pip.broken = {"beta==2.0"}
    both = tuple(Sample(requirement=s.requirement, kinds=("any",)) for s in TWO)
    (failure,) = fill(tmp_path / "wheels", plan_downloads(both), say=quiet)
    assert len(list((tmp_path / "wheels").iterdir())) == 1
    assert "beta==2.0" in failure
    assert "no matching distribution" in failure
    pip.broken = set()
    assert fill(tmp_path / "wheels", plan_downloads(both), say=quiet) == []
