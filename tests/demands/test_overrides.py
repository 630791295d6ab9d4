"""``demands.overrides``: what an administrator says that releases require, in uv's format."""

from pathlib import Path

import pytest

from pypi_mirror.demands import BadDemands
from pypi_mirror.demands.core_metadata import CoreMetadata, Requires
from pypi_mirror.demands.overrides import Override, read_overrides

OF_UV = """
[project]
name = "app"
[tool.uv]
default-groups = []
[[tool.uv.dependency-metadata]]
name = "Chumpy"
version = "0.70.0"
requires-dist = ["numpy>=1.8.1", "scipy>=0.13.0; extra == 'Fast'", "six @ https://files.example/six.whl"]
requires-python = ">=3.8"
provides-extra = ["all"]
"""


def read(tmp_path: Path, text: str) -> tuple[Override, ...]:
    path = tmp_path / "a.toml"
    path.write_text(text)
    return read_overrides(path)[0]


def test_the_tables_of_a_pyproject_count(tmp_path: Path) -> None:
    (found,) = read(tmp_path, OF_UV)
    assert (str(found), found.place) == ("chumpy 0.70.0", str(tmp_path / "a.toml"))
    assert found.stated == CoreMetadata(
        requires=(
            Requires("numpy", ">=1.8.1"),  # type: ignore[arg-type]
            Requires("scipy", ">=0.13.0", (), 'extra == "fast"'),  # type: ignore[arg-type]
        ),
        extras=("all", "fast"),
        remarks=("six @ https://files.example/six.whl: it comes from a direct URL, which no index serves",),
    )


def test_a_file_of_its_own_has_them_at_the_top(tmp_path: Path) -> None:
    text = OF_UV.replace("tool.uv.dep", "dep").replace("provides-extra", "provides-extras").partition("[[")[2]
    found = read(tmp_path, f'[[{text}\n[[dependency-metadata]]\nname = "other"')
    assert list(map(str, found)) == ["chumpy 0.70.0", "other"]
    assert found[0] == read(tmp_path, OF_UV)[0]
    assert found[1].stated == CoreMetadata()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('version = "1"', "the name of a [[dependency-metadata]] is not a string"),
        ('name = "a b"', "a [[dependency-metadata]] has the name 'a b', which is not a project's name"),
        ('name = "a"\nversion = "one"', "version of a is 'one', which is not a version (PEP 440)"),
        ('name = "a"\nversion = 1', "the version of a is not a string"),
        ('name = "a"\nrequires-dist = "b"', "requires-dist is not a list"),
        ('name = "a"\nrequires-dist = ["b c"]', "requires-dist of a has 'b c', which is not a req"),
        (
            'name = "a"\nrequires_dist = []',
            "[[dependency-metadata]] of a has the key requires_dist, wh",
        ),
        ("[other]", "a [[dependency-metadata]] is not a string"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(BadDemands) as caught:
        read(tmp_path, f"[[dependency-metadata]]\n{entry}")
    (found,) = caught.value.mistakes
    assert found.startswith(f"{tmp_path / 'a.toml'}: ")
    assert message in found
