"""Upstreams without PEP 658: what a wheel holds is served beside it, as on an index that has it."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from pypi_mirror.model import RunState
from pypi_mirror.runs.rebuild_ledger import rebuild_ledger
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.runs.test_audit import audited
from tests.warehouse import HTML_ONLY, PYPI, SERIAL_LESS, Behaviour, Sdist, Upload, Wheel, Yank
from tests.warehouse.distributions import Declared, Distribution

ALPHA = Wheel(name="Alpha.Lib", version="1.0", requires_dist=("beta>=1",), description="Ä text.\n")
LABELLED = Wheel(name="Alpha.Lib", version="1.1", build="2", tags="cp312-cp312-manylinux_2_17_x86_64")
SDIST = Sdist(name="Alpha.Lib", version="1.0")
KINDS = {"json": PYPI, "serial-less": SERIAL_LESS, "html-only": HTML_ONLY}


def bare(*distributions: Distribution) -> tuple[Upload, ...]:
    return tuple(Upload(distribution=each, core_metadata=False) for each in distributions)


def metadata(made: Bench, name: str = "alpha-lib") -> dict[str, Any]:
    """What our page says of each file's metadata."""
    return {file["filename"]: file["core-metadata"] for file in made.page(name)["files"]}


def beside(made: Bench, filename: str) -> Path:
    path = made.pooled(f"{filename}.metadata")
    assert path is not None
    return path


def digest(distribution: Distribution) -> dict[str, str]:
    return {"sha256": hashlib.sha256(distribution.core_metadata()).hexdigest()}


@pytest.fixture
def synced(bench: MakeBench) -> Bench:
    made = bench(*bare(ALPHA, LABELLED, SDIST), behaviour=SERIAL_LESS)
    assert made.sync().state is RunState.SUCCESS
    made.server.requests.reset()
    return made


@pytest.mark.parametrize("behaviour", KINDS.values(), ids=KINDS)
def test_a_wheels_metadata_is_served_with_its_digest(bench: MakeBench, behaviour: Behaviour) -> None:
    made = bench(*bare(ALPHA, LABELLED, SDIST), behaviour=behaviour)
    assert made.sync().state is RunState.SUCCESS

    assert metadata(made) == {
        ALPHA.file_name: digest(ALPHA), LABELLED.file_name: digest(LABELLED), SDIST.file_name: False
    }  # fmt: skip
    assert beside(made, ALPHA.file_name).read_bytes() == ALPHA.core_metadata()
    html = (made.page_directory("alpha-lib") / "index.html").read_text()
    assert f'data-core-metadata="sha256={digest(ALPHA)["sha256"]}"' in html
    assert made.server.requests.count("metadata") == 0
    audit(made)
    compare(made)


def test_it_stays_through_runs_audits_and_a_new_ledger(synced: Bench) -> None:
    before = metadata(synced)
    synced.sync()
    assert metadata(synced) == before
    report = audited(synced)
    assert (report.found, report.is_clean) == ({}, True)
    synced.server.apply(Yank(project="Alpha.Lib", version="1.0", reason="no"))
    synced.sync()
    assert metadata(synced) == before
    rebuild_ledger(synced.settings, force=True, clock=synced.clock)
    audit(synced, published=False)
    report = audited(synced)
    assert (report.found, report.is_clean) == ({}, True)
    synced.sync(recheck=True)
    assert metadata(synced) == before
    assert synced.downloads() == []
    audit(synced)


@pytest.mark.parametrize("content", [None, b"", b"Metadata-Version: 2.1\nName: evil\n"])
def test_damage_to_it_is_mended_from_the_wheel(synced: Bench, content: bytes | None) -> None:
    path = beside(synced, ALPHA.file_name)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    report = audited(synced)
    assert report.is_clean
    assert sum(report.found.values()) == 1
    assert path.read_bytes() == ALPHA.core_metadata()
    assert synced.downloads() == []
    audit(synced)


def test_a_wheel_that_holds_none_goes_without(bench: MakeBench) -> None:
    broken = Declared(
        name="broken", version="1.0", filename="broken-1.0-py3-none-any.whl", data=b"no archive"
    )
    made = bench(*bare(broken, ALPHA), behaviour=SERIAL_LESS)
    assert made.sync().state is RunState.SUCCESS

    assert metadata(made, "broken") == {broken.file_name: False}
    assert made.pooled(f"{broken.file_name}.metadata") is None
    assert metadata(made)[ALPHA.file_name]
    audit(made)


def test_switched_off_and_on(synced: Bench) -> None:
    synced.change(core_metadata=False)
    synced.sync()
    assert set(metadata(synced).values()) == {False}
    audit(synced)
    synced.change(core_metadata=True)
    synced.sync()
    assert metadata(synced)[ALPHA.file_name] == digest(ALPHA)
    assert synced.downloads() == []
    audit(synced)
