"""`kill -9` of a real process while it follows dependencies; ``tests/torture`` does it at random moments."""

import sqlite3
from pathlib import Path

import pytest

from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.read import read_settings
from tests.cli.process import CommandLine, kill, wait_until
from tests.dependencies.closure import LINUX
from tests.runs.audit import audit
from tests.torture.kills import bench_of
from tests.warehouse import Delay, Fault, Scenario, Upload, Wheel, running

pytestmark = pytest.mark.servers

_CONF = f"""\
[allowlist]
packages = app
[dependencies]
follow = yes
[platform]
environments = {LINUX}
"""
# Each requires the next one.
_CHAIN = ("app", "lib", "deep", "deeper")


def is_demanded(ledger: Path, project: str) -> bool:
    """Whether a run has noted that ``project`` is required, for which it followed those before."""
    if not ledger.exists():
        return False
    connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    try:
        return bool(connection.execute("SELECT 1 FROM demands WHERE project = ?", (project,)).fetchone())
    except sqlite3.OperationalError:
        # It is being made.
        return False
    finally:
        connection.close()


@pytest.mark.parametrize("killed_at", _CHAIN[1:])
def test_the_next_sync_goes_on_where_the_killed_one_was(tmp_path: Path, killed_at: str) -> None:
    uploads = [
        Upload(distribution=Wheel(name=name, requires_dist=_CHAIN[number : number + 1]))
        for number, name in enumerate(_CHAIN, 1)
    ]
    stuck = Fault(path=f"/simple/{killed_at}/", effect=Delay(seconds=600), times=None)
    with running(Scenario(events=tuple(uploads)).build(), faults=(stuck,)) as server:
        line = CommandLine.of(tmp_path, server, _CONF)
        settings = read_settings(line.configuration, {})
        assert settings.ledger_path is not None
        ledger = settings.ledger_path
        with line.start("sync") as process:
            wait_until(lambda: is_demanded(ledger, killed_at) or process.poll() is not None)
            assert process.poll() is None
            kill(process)
        with open_mirror(settings) as mirror:
            assert mirror.ledger.dependencies.to_follow() == [killed_at]
        server.faults.clear()
        server.requests.reset()
        said = line.run("sync")
        assert said.code == 0, said.err
        left = _CHAIN[_CHAIN.index(killed_at) :]
        # The answer that the killed process did not wait for is among them.
        asked = [each.path for each in server.requests.of("page") if each.status == 200]
        assert asked == [f"/simple/{name}/" for name in left]
        bench = bench_of(line, server)
        assert all(bench.page(name)["versions"] == ["1.0"] for name in _CHAIN)
        audit(bench)
