"""A real Prometheus reads what nginx serves, with the job and the rules of deploy/monitoring."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from pypi_mirror.observing.metrics import render_metrics
from pypi_mirror.settings.values import Settings, Site
from tests.nginx_process import NginxProcess
from tests.observing.figures import OBSERVED
from tests.requirements_present import require

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"

pytestmark = pytest.mark.servers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """``host:port`` of an nginx that serves a mirror's metrics."""
    settings = Settings(
        directory=tmp_path / "mirror", master="https://index.example", site=Site(port=free_port())
    )
    settings.web.mkdir(parents=True)
    (settings.web / "metrics").write_bytes(render_metrics(OBSERVED))
    with NginxProcess(settings):
        yield f"127.0.0.1:{settings.site.port}"


@contextmanager
def prometheus(home: Path, target: str) -> Iterator[str]:
    """The address of one that runs with the committed files, but for the target and the pace."""
    program = shutil.which("prometheus")
    require(program, "prometheus")
    assert program is not None
    shutil.copy(MONITORING / "pypi-mirror.rules.yaml", home)
    committed = (MONITORING / "prometheus.yaml").read_text()
    config = committed.replace("pypi.example:8080", target).replace("interval: 1m", "interval: 1s")
    assert target in config
    (home / "prometheus.yaml").write_text(config)
    port = free_port()
    command = [program, f"--config.file={home}/prometheus.yaml", f"--storage.tsdb.path={home}/data"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def ask(address: str, query: str) -> list[dict[str, Any]]:
    """The result of a query, as soon as there is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urlopen(f"{address}/api/v1/query?query={quote(query)}") as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except URLError:
            found = []
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{query}: nothing came")


def test_it_is_scraped_and_its_rules_are_evaluated(site: str, tmp_path: Path) -> None:
    with prometheus(tmp_path, site) as address:
        (lag,) = ask(address, "pypi_mirror_lag_seconds")
        assert (lag["metric"]["job"], lag["value"][1]) == ("pypi-mirror", "3600")
        (up,) = ask(address, "up")
        assert up["value"][1] == "1"
        (state,) = ask(address, "pypi_mirror_last_run_state == 1")
        assert state["metric"]["pypi_mirror_last_run_state"] == "failed"
        # Its plan waits, not long enough yet for anybody to be told.
        (alert,) = ask(address, 'ALERTS{alertname="PypiMirrorApprovalNeeded"}')
        assert alert["metric"]["alertstate"] == "pending"
        with urlopen(f"{address}/api/v1/metadata?metric=pypi_mirror_files_bytes") as answer:
            (known,) = json.load(answer)["data"]["pypi_mirror_files_bytes"]
    assert (known["type"], known["unit"]) == ("gauge", "bytes")
