"""What docs/monitoring.md says of Airflow's own metrics holds for the Airflow that is installed."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.fenced_blocks import blocks_of

PAGE = Path(__file__).parents[2] / "docs/monitoring.md"

pytestmark = pytest.mark.airflow

# As Airflow's services begin; a process sends what it has when it ends.
SEND = """
from airflow._shared.observability.metrics import stats
from airflow.observability.metrics import stats_utils
stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
stats.incr("scheduler_heartbeat")
stats.timing("dagrun.duration.success", 1.5, tags={"dag_id": "pypi_mirror"})
"""

KNOWN = """
import sys
from airflow.configuration import conf
unknown = [name for name in sys.argv[1:] if not conf.has_option("metrics", name)]
sys.exit(f"not known: {unknown}" if unknown else 0)
"""


def exported() -> dict[str, str]:
    """The variables of the page's blocks about Airflow."""
    found: dict[str, str] = {}
    for block in blocks_of(PAGE):
        if block.kind == "sh":
            found |= dict(re.findall(r"^export (\w+)=(.+)$", block.text, re.MULTILINE))
    return found


def python(program: str, *arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "AIRFLOW_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class Received(BaseHTTPRequestHandler):
    bodies: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.bodies.append((self.path, self.rfile.read(length)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A collector of OTLP over HTTP: its address, and what it gets."""
    bodies: list[tuple[str, bytes]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Handler", (Received,), {"bodies": bodies}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_airflow_sends_its_metrics_to_a_collector_with_the_settings_of_the_page(tmp_path: Path) -> None:
    settings = {name: value for name, value in exported().items() if "STATSD" not in name}
    assert set(settings) > {"AIRFLOW__METRICS__OTEL_ON"}
    with collector() as (address, received):
        done = python(
            SEND,
            home=tmp_path,
            **{**settings, "OTEL_EXPORTER_OTLP_ENDPOINT": address, "NO_PROXY": "127.0.0.1"},
        )
    assert done.returncode == 0, done.stderr
    assert {path for path, _ in received} == {"/v1/metrics"}, done.stderr
    sent = b"".join(body for _, body in received)
    for name in (b"airflow.scheduler_heartbeat", b"airflow.dagrun.duration.success", b"pypi_mirror"):
        assert name in sent


def test_airflow_knows_every_option_that_the_page_sets(tmp_path: Path) -> None:
    prefix = "AIRFLOW__METRICS__"
    names = [name.removeprefix(prefix).lower() for name in exported() if name.startswith(prefix)]
    assert len(names) == 5
    done = python(KNOWN, *names, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert python(KNOWN, "statsd_onn", home=tmp_path).returncode != 0, "an unknown one is noticed"


def test_airflow_has_every_metric_that_the_page_names() -> None:
    spec = find_spec("airflow")
    assert spec is not None
    assert spec.origin is not None
    template = Path(spec.origin).parent / "_shared/observability/metrics/metrics_template.yaml"
    known = set(re.findall(r'- name: "([^"]+)"', template.read_text()))
    paragraph = re.search(r"^Worth an alert: .+?(?:\n\n|\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert paragraph is not None
    named = set(re.findall(r"`([a-z_.]+)`", paragraph[0]))
    assert len(named) == 8
    assert named - known == set()
