"""A browser that is logged in, in front of a mirror under a real Airflow."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.airflow_server import ADMINISTRATOR, read_or_make_keys
from tests.browser.browser import Browser, programs, running_browser
from tests.browser.scene import Scene, mirrored
from tests.dags.real_airflow import VIEWER, VIEWERS_PASSWORD, RealAirflow
from tests.requirements_present import require

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots", action="store_true", help="make docs/screenshots and build/screenshots again"
    )


@pytest.fixture(scope="module")
def scene(airflow: RealAirflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with mirrored(airflow, tmp_path_factory.mktemp("browser") / "mirror") as scene:
        yield scene


@pytest.fixture(scope="module")
def screenshots(request: pytest.FixtureRequest) -> Path | None:
    # Where pytest was not pointed at this folder, it does not know the option.
    return SCREENSHOTS if request.config.getoption("screenshots", default=False) else None


def a_browser(airflow: RealAirflow, screenshots: Path | None) -> Iterator[Browser]:
    chromium, driver = programs()
    require(chromium, "Chromium")
    require(driver, "chromedriver")
    with running_browser(airflow.address, screenshots) as browser:
        yield browser


@pytest.fixture
def stranger(airflow: RealAirflow) -> Iterator[Browser]:
    """Not logged in."""
    yield from a_browser(airflow, None)


@pytest.fixture(scope="module")
def logged_in(airflow: RealAirflow, screenshots: Path | None) -> Iterator[Browser]:
    for browser in a_browser(airflow, screenshots):
        password = read_or_make_keys(airflow.stack.layout.airflow_home).password
        browser.log_in(ADMINISTRATOR, password)
        yield browser


@pytest.fixture
def browser(logged_in: Browser) -> Iterator[Browser]:
    """The administrator's; afterwards nothing may have left the origin, and nothing complained."""
    logged_in.forget()
    logged_in.look_anew()
    yield logged_in
    assert_quiet(logged_in)


@pytest.fixture
def viewer(airflow: RealAirflow) -> Iterator[Browser]:
    """Of a person who may look and not press."""
    for browser in a_browser(airflow, None):
        browser.log_in(VIEWER, VIEWERS_PASSWORD)
        browser.forget()
        yield browser
        assert_quiet(browser)


def assert_quiet(browser: Browser) -> None:
    own = (browser.origin + "/", f"blob:{browser.origin}/", "data:", "about:")
    browser.requested()
    assert browser.asked
    assert [url for url in browser.asked if not url.startswith(own)] == []
    assert browser.complaints() == []
