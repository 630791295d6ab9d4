import os

import pytest
from packaging.tags import sys_tags

from local_stack.mirror_once import _fits, _isolated, find_installable
from tests.warehouse import Upload, Warehouse, Wheel, running


def test_pip_looks_nowhere_but_in_the_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://elsewhere.example/simple/")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("KEPT", "yes")
    environment = _isolated()
    assert environment["PIP_CONFIG_FILE"] == os.devnull
    assert [name for name in environment if name.startswith("PIP_")] == ["PIP_CONFIG_FILE"]
    assert "HTTPS_PROXY" not in environment
    assert environment["KEPT"] == "yes"


@pytest.mark.parametrize(
    ("filename", "fits"),
    [
        ("alpha-1.0-py3-none-any.whl", True),
        ("alpha-1.0-cp311-cp311-win32.whl", False),
        ("alpha-1.0.tar.gz", False),
    ],
)
def test_a_wheel_fits_when_this_python_could_install_it(filename: str, fits: bool) -> None:
    assert _fits(filename, frozenset(sys_tags())) is fits


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ((), "alpha"),
        (("web",), "web"),
        (("elsewhere", "other-system", "web"), "web"),
        (("other-system",), "alpha"),
    ],
)
def test_what_somebody_named_is_tried_before_what_came_along(named: tuple[str, ...], found: str) -> None:
    """To install what others merely require would say nothing of what they require."""
    wheels = (
        Wheel(name="alpha"),
        Wheel(name="other-system", tags="cp311-cp311-win32"),
        Wheel(name="web", requires_dist=("alpha",)),
    )
    with running(Warehouse(*(Upload(distribution=wheel) for wheel in wheels))) as server:
        assert find_installable(f"{server.url}/simple/", named) == found
