"""A mirror for the browser to look at: its past, a first sync under Airflow, and the upstream it has."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.browser.past import write_past
from tests.dags.real_airflow import RealAirflow
from tests.warehouse import Event, Fault, Sdist, Upload, Warehouse, Wheel, running
from tests.warehouse.faults import Instead
from tests.warehouse.server import Server

NAMES = ("aiohttp", "black", "click", "django", "flask", "numpy", "pandas", "pillow", "requests", "rich")
# Upstream's pages of these are cut off, so that there is a backlog.
BROKEN = ("celery", "tornado")
SYSTEMS = ("manylinux_2_28_x86_64", "win_amd64")
WINDOWS_WHEEL = "numpy-2.0-cp312-cp312-win_amd64.whl"
MORE = """
[blocklist]
platforms = windows
"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    airflow: RealAirflow
    upstream: Server
    directory: Path

    def change(self, old: str, new: str) -> None:
        """Change the configuration."""
        text = self.airflow.conf.read_text()
        assert old in text
        self.airflow.conf.write_text(text.replace(old, new))

    def release(self, version: str) -> None:
        """Have upstream release every project again."""
        self.happen(*(Upload(distribution=Wheel(name=name, version=version, size=200_000)) for name in NAMES))

    def happen(self, *events: Event) -> None:
        """Have ``events`` happen upstream, at this moment."""
        self.upstream.warehouse.now = datetime.now(UTC)
        self.upstream.apply(*events)

    def break_pages(self, *names: str) -> None:
        """From now on the pages of ``names`` are cut off, and no others."""
        self.upstream.faults.clear()
        self.upstream.inject(*cut_off(*names))


def cut_off(*names: str) -> tuple[Fault, ...]:
    return tuple(Fault(path=f"/simple/{name}/*", effect=Instead(body="{"), times=None) for name in names)


@contextmanager
def mirrored(airflow: RealAirflow, directory: Path) -> Iterator[Scene]:
    wheels = (Wheel(name=name, size=200_000) for name in (*NAMES, *BROKEN))
    numpy = (Wheel(name="numpy", version="2.0", tags=f"cp312-cp312-{tag}", size=3_000_000) for tag in SYSTEMS)
    warehouse = Warehouse(
        *(Upload(distribution=wheel) for wheel in (*wheels, *numpy)),
        Upload(distribution=Sdist(name="numpy", version="2.0")),
    )
    with running(warehouse, faults=cut_off(*BROKEN)) as upstream:
        airflow.configure(directory, upstream.url)
        airflow.conf.write_text(airflow.conf.read_text() + MORE)
        with airflow.mirror() as mirror:
            write_past(mirror)
        # The two that are broken are new failures.
        assert airflow.wait(airflow.api.trigger("pypi_mirror", {"batch_size": 10})) == "failed"
        yield Scene(airflow=airflow, upstream=upstream, directory=directory)
