"""What a lock file names stays at its address although upstream removes it, as long as the lock names it."""

import hashlib
from pathlib import Path

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.cli.explain import _line
from pypi_mirror.model import RunState
from pypi_mirror.observing.explain import FileState, explain
from pypi_mirror.observing.tombstones import tombstone_page
from pypi_mirror.options.packages import parse_package
from pypi_mirror.planning.unmet_rules import unmet_rules
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.blocklist_packages import BlockedPackages
from tests.runs.audit import audit
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import ClearQuarantine, Quarantine, RemoveFile, RemoveProject, Upload, Wheel

OLD, NEW = (Wheel(name="alpha", version=version) for version in ("1.0", "2.0"))
BETA = Wheel(name="beta")
ALPHA = NormalizedName("alpha")


@pytest.fixture
def made(bench: MakeBench, tmp_path: Path) -> Bench:
    """A mirror of what a lock file names, with other files of the projects beside."""
    made = bench(
        *(Upload(distribution=each) for each in (OLD, NEW, BETA)),
        policy=Policy(AllowedPackages(requirements=("uv.lock",), requirements_path=tmp_path)),
    )
    lock(made, OLD, NEW, BETA)
    assert made.sync().state is RunState.SUCCESS
    return made


def lock(made: Bench, *wheels: Wheel) -> Path:
    folder = made.settings.policy.of(AllowedPackages).requirements_path
    assert folder is not None
    text = "version = 1\n"
    for wheel in wheels:
        digest = hashlib.sha256(wheel.content()).hexdigest()
        text += (
            f"[[package]]\nname = '{wheel.name}'\nversion = '{wheel.version}'\n"
            f"source = {{ registry = '{made.server.master}/simple' }}\n"
            f"wheels = [{{ hash = 'sha256:{digest}' }}]\n"
        )
    path = folder / "uv.lock"
    path.write_text(text)
    return path


def test_it_leaves_the_page_and_stays_at_its_address(made: Bench) -> None:
    made.server.apply(RemoveFile(project="alpha", filename=OLD.file_name))
    for _ in range(2):
        assert made.sync().state is RunState.SUCCESS
        assert made.listed("alpha") == [NEW.file_name]
        assert made.page("alpha")["versions"] == ["2.0"]
        with made.open() as mirror:
            assert [each.rule for each in unmet_rules(mirror)] == ["alpha==1.0"]
            assert {each.deleted_at for each in tombstone_page(mirror).items} == {None}
        made.clock.advance(days=30)
    audit(made)
    assert made.pooled(OLD.file_name) is not None
    # Whatever happens to the project afterwards, and where all is looked at again.
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="3.0")))
    assert made.sync(recheck=True).state is RunState.SUCCESS
    assert made.pooled(OLD.file_name) is not None


def test_it_goes_when_the_lock_no_longer_names_it(made: Bench) -> None:
    made.server.apply(RemoveFile(project="alpha", filename=OLD.file_name))
    made.sync()
    lock(made, NEW, BETA)
    assert made.sync().state is RunState.SUCCESS
    assert made.listed("alpha") == [NEW.file_name]
    made.clock.advance(days=8)
    made.sync()
    assert made.pooled(OLD.file_name) is None
    audit(made)


def test_explain_says_who_keeps_it(made: Bench) -> None:
    path = lock(made, OLD, NEW, BETA)
    made.server.apply(RemoveFile(project="alpha", filename=OLD.file_name))
    made.sync()
    with made.open() as mirror:
        explained = explain(mirror, ALPHA)
    (file,) = [each for each in explained.files if each.filename == OLD.file_name]
    assert (file.upstream, file.mirrored, file.state) == (False, False, FileState.TOMBSTONE)
    assert file.locked_by == str(path)
    assert f"upstream has removed it; the file stays because {path} names it" in _line(file, explained)


def test_of_a_removed_project_the_page_goes_and_locked_files_keep_their_address(made: Bench) -> None:
    """Upstream removes malware by removing its project, so no page may go on offering it."""
    made.server.apply(RemoveProject(project="alpha"))
    assert made.sync().state is RunState.SUCCESS
    assert not made.page_directory("alpha").exists()
    made.clock.advance(days=30)
    made.sync()
    assert made.pooled(OLD.file_name) is not None
    with made.open() as mirror:
        assert {each.deleted_at for each in tombstone_page(mirror).items} == {None}
        (file, *_) = explain(mirror, ALPHA).files
    assert (file.state, file.locked_by is not None) == (FileState.TOMBSTONE, True)
    lock(made, BETA)
    made.sync()
    assert made.pooled(OLD.file_name) is None


def test_a_quarantined_project_lists_nothing(made: Bench) -> None:
    made.server.apply(Quarantine(project="alpha"))
    made.sync()
    assert made.listed("alpha") == []
    made.server.apply(ClearQuarantine(project="alpha"))
    made.sync()
    assert made.listed("alpha") == [OLD.file_name, NEW.file_name]


def test_a_block_takes_it_away(made: Bench) -> None:
    made.server.apply(RemoveFile(project="alpha", filename=OLD.file_name))
    made.sync()
    allowed = made.settings.policy.of(AllowedPackages)
    made.change(policy=Policy(allowed, BlockedPackages(packages=(parse_package("alpha==1.0"),))))
    made.sync()
    assert made.listed("alpha") == [NEW.file_name]
    made.clock.advance(days=8)
    made.sync()
    assert made.pooled(OLD.file_name) is None
