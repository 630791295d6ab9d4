"""Dependencies on the page: a tab with what they cost, and of a project who requires it."""

from collections.abc import Iterator

import pytest

from tests.browser.browser import Browser
from tests.dags.real_airflow import DAG_ID, RealAirflow
from tests.warehouse import Upload, Warehouse, Wheel, running

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.servers,
    pytest.mark.database("sqlite"),
    pytest.mark.usefixtures("followed"),
]

FILTERS = """
[allowlist]
packages =
    jupyterlab
    pandas

[dependencies]
follow = yes
"""


def wheel(name: str, *requires: str, version: str = "1.0", size: int = 200_000) -> Upload:
    return Upload(distribution=Wheel(name=name, version=version, requires_dist=requires, size=size))


UPLOADS = (
    wheel("jupyterlab", "notebook-server>=2", "tornado", version="4.0", size=9_000_000),
    wheel("jupyterlab", "notebook-server>=2", "tornado", version="4.1", size=9_000_000),
    wheel("notebook-server", "tornado>=5", "terminal; sys_platform != 'win32'", version="2.0"),
    wheel("tornado", version="6.0", size=450_000),
    wheel("terminal"),
    wheel("pandas", "numpy>=2", "dateutil[zones]", version="3.0", size=12_000_000),
    wheel("numpy", version="2.0", size=16_000_000),
    wheel("dateutil", "six>=99", "zoneinfo-data; extra == 'zones'"),
    wheel("zoneinfo-data"),
    wheel("six", version="1.17"),
)


@pytest.fixture(scope="module")
def followed(airflow: RealAirflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with running(Warehouse(*UPLOADS)) as upstream:
        directory = tmp_path_factory.mktemp("followed") / "mirror"
        airflow.configure(directory, upstream.url, filters=FILTERS)
        assert airflow.wait(airflow.api.trigger(DAG_ID, {})) == "success"
        yield


def test_what_is_required_what_it_costs_and_what_is_not_met(browser: Browser) -> None:
    browser.open()
    browser.reads("Required by others\n7 projects\n1 requirement not met", ".figures")
    browser.one('.figures a[href="#dependencies"]').click()
    browser.settle()
    browser.reads("six>=99")
    rows = [row.text.split() for row in browser.all('[aria-label^="The projects without which"] tbody tr')]
    assert rows[0] == ["pandas", "named", "28.4", "MB", "12.0", "MB", "5"]
    assert ["numpy", "16.0", "MB", "16.0", "MB", "1"] in rows


def test_who_requires_a_project_and_by_which_way(browser: Browser) -> None:
    browser.open("projects/tornado")
    browser.reads("[allowlist] › jupyterlab › tornado")
    browser.reads("4.0 to 4.1 (2 releases)")
    browser.reads("only those that [allowlist] or a requirement asks for")
    browser.reads("Its releases require nothing.")
    browser.one('[aria-label="Who requires tornado"] a[href="#projects/notebook-server"]').click()
    browser.settle()
    browser.reads('terminal; sys_platform != "win32"')


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800])
def test_it_is_legible_and_fits(browser: Browser, theme: str, width: int) -> None:
    browser.open()
    browser.look(theme=theme, width=width)
    for part in ("overview", "dependencies", "projects/notebook-server"):
        browser.go(part)
        assert (part, browser.overflows()) == (part, [])
        assert (part, browser.faint()) == (part, [])
        browser.screenshot(f"dependencies-{part.partition('/')[0]}-{theme}-{width}")
