"""Generated and real files: deterministic, valid, and read as upstream reads them."""

import base64
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.utils import parse_sdist_filename, parse_wheel_filename

from tests.warehouse import Artifact, Declared, Sdist, Warehouse, Wheel, from_folder, many

WHEEL = Wheel(
    name="Foo.Bar",
    version="1.2",
    build="3",
    tags="cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
    requires_python=">=3.9",
    requires_dist=("beta>=1; python_version < '3.12'",),
    summary="A test",
    description="# Foo\n",
    extra=(("License-Expression", "MIT"),),
    size=3_000,
)


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_wheels_filename_metadata_and_tags_agree() -> None:
    name, version, build, tags = parse_wheel_filename(WHEEL.file_name)
    assert (name, str(version), build) == ("foo-bar", "1.2", (3, ""))
    files = members(WHEEL.content())
    metadata = Metadata.from_email(files["foo_bar-1.2.dist-info/METADATA"], validate=False)
    assert metadata.name == "Foo.Bar"
    assert str(metadata.requires_python) == ">=3.9"
    assert [str(each) for each in metadata.requires_dist or []] == ['beta>=1; python_version < "3.12"']
    assert metadata.description == "# Foo\n"
    assert files["foo_bar-1.2.dist-info/METADATA"] == WHEEL.core_metadata()
    wheel = files["foo_bar-1.2.dist-info/WHEEL"].decode().splitlines()
    assert {line for line in wheel if line.startswith("Tag: ")} == {f"Tag: {tag}" for tag in tags}
    assert "Root-Is-Purelib: false" in wheel
    assert "Build: 3" in wheel


def test_a_wheels_record_lists_every_member_with_its_digest() -> None:
    files = members(WHEEL.content())
    record = files.pop("foo_bar-1.2.dist-info/RECORD").decode().splitlines()
    digests = {
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},{len(data)}"
        for name, data in files.items()
    }
    assert set(record) == digests | {"foo_bar-1.2.dist-info/RECORD,,"}


def test_an_sdist_holds_its_metadata_and_a_way_to_build_it() -> None:
    sdist = Sdist(name="Foo.Bar", version="1.2", size=100)
    assert parse_sdist_filename(sdist.file_name)[0] == "foo-bar"
    with tarfile.open(fileobj=io.BytesIO(sdist.content())) as archive:
        names = archive.getnames()
    assert names == [
        "foo_bar-1.2/PKG-INFO",
        "foo_bar-1.2/pyproject.toml",
        "foo_bar-1.2/foo_bar/__init__.py",
        "foo_bar-1.2/foo_bar/payload.bin",
    ]


@pytest.mark.parametrize(
    ("distribution", "sha256"),
    [
        (WHEEL, "b55098b66d94cd5b334e63bbf0b01b743b770d7c47258425e31ca928b150d1cf"),
        (Wheel(name="alpha"), "3b2e8a6fbf6635611ee7c8c7bd1826fcc8d38d0928778f0c3faeec4767b9aab4"),
    ],
)
def test_generated_wheels_are_the_same_on_every_machine(distribution: Wheel, sha256: str) -> None:
    assert hashlib.sha256(distribution.content()).hexdigest() == sha256


def test_the_payload_has_the_size_asked_for_and_differs_between_files() -> None:
    one, other = Wheel(name="alpha", size=20_000), Wheel(name="beta", size=20_000)
    assert 20_000 < len(one.content()) < 21_500
    assert one.payload() != other.payload()


@pytest.mark.parametrize(
    "distribution", [WHEEL, Sdist(name="Foo.Bar", version="1.2", requires_python=">=3.9")]
)
def test_a_real_file_is_read_from_its_own_metadata(tmp_path: Path, distribution: Wheel | Sdist) -> None:
    path = tmp_path / distribution.file_name
    path.write_bytes(distribution.content())
    artifact = Artifact.of(path)
    assert (artifact.name, artifact.version) == ("Foo.Bar", "1.2")
    assert artifact.file_name == distribution.file_name
    assert artifact.core_metadata() == distribution.core_metadata()
    assert artifact.python_version == distribution.python_version


def test_a_file_without_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "alpha-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("alpha/__init__.py", "")
    with pytest.raises(ValueError, match="holds no METADATA"):
        Artifact.of(path)


def test_a_folder_gives_the_same_index_however_it_was_written(tmp_path: Path) -> None:
    distributions: list[Wheel | Sdist] = [
        Wheel(name="Beta", version="1.10"),
        Wheel(name="Beta", version="1.9"),
        Sdist(name="alpha", version="1.0"),
    ]
    indexes = []
    for number, order in enumerate((distributions, distributions[::-1])):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "notes.txt").write_text("not a distribution")
        for distribution in order:
            (folder / distribution.file_name).write_bytes(distribution.content())
        indexes.append(from_folder(folder).build())
    first, second = indexes
    assert [row.action for row in first.journal if row.action.startswith("add ") and row.version] == [
        "add source file alpha-1.0.tar.gz",
        "add py3 file beta-1.9-py3-none-any.whl",
        "add py3 file beta-1.10-py3-none-any.whl",
    ]
    assert first.journal == second.journal
    assert [(path, file.upload_time) for path, file in first.files.items()] == [
        (path, file.upload_time) for path, file in second.files.items()
    ]


def test_many_has_as_many_as_asked_for() -> None:
    warehouse: Warehouse = many(projects=4, wheels=3, size=100).build()
    assert len(warehouse.projects) == 4
    assert len(warehouse.files) == 12
    assert {len(project.releases) for project in warehouse.projects.values()} == {3}


def test_a_declared_file_says_what_it_is_told() -> None:
    declared = Declared(name="x", version="1", filename="../../x-1-py3-none-any.whl", data=b"abc", size=7)
    assert declared.content() == b"abc"
    assert declared.file_name == "../../x-1-py3-none-any.whl"
    assert Declared(name="x", version="1", filename="x-1.tar.gz", size=4).content() == b"\0\0\0\0"
