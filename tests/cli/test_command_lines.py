"""No command line of the program's processes carries a secret that it was given elsewhere."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.cli.process import ROOT, CommandLine, wait_until
from tests.command_lines import CommandLines, record
from tests.ledger.postgres import running_postgres
from tests.warehouse import running, small
from tests.webserver.sites import free_port

pytestmark = pytest.mark.servers

PASSWORD = "hidden-word-of-the-ledger"
LOGIN = "hidden-word-of-the-login"
VERBS = (
    "config check",
    "plan",
    "sync --processes 2",
    "sync --processes 2 alpha",
    "status",
    "explain alpha",
    "backlog list",
    "audit --dry-run",
    "audit",
    "ledger upgrade",
    "ledger reset-cursor",
    "nginx render",
)


def test_of_the_verbs(tmp_path: Path) -> None:
    lines = record(tmp_path / "recorded")
    with running(small().build()) as server, running_postgres() as postgres, lines.watched():
        url = make_url(postgres).set(password=PASSWORD).render_as_string(hide_password=False)
        line = CommandLine.of(tmp_path, server)
        text = line.configuration.read_text()
        line.configuration.write_text(text.replace("enabled = false", f"port = {free_port()}"))
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((lines.path, str(ROOT / "include"))),
            "PYPI_MIRROR_LEDGER_URL": url,
            "PYPI_MIRROR_LOGIN": f"me:{LOGIN}",
        }
        for verb in VERBS:
            words = [*line.command, *verb.split(), "-c", str(line.configuration)]
            done = subprocess.run(
                words, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (verb, done.stdout, done.stderr)
        serve(line, environment, lines)
    ours = [each for each in lines.all() if str(tmp_path) in each]
    for expected in (*VERBS, "nginx serve", "nginx: master process"):
        assert any(expected in each for each in ours), f"{expected} is not among what was recorded"
    told = "\n".join(lines.all())
    assert PASSWORD not in told
    assert LOGIN not in told


def serve(line: CommandLine, environment: Mapping[str, str], lines: CommandLines) -> None:
    """nginx in the foreground, until the list of processes has shown it."""
    words = [*line.command, "nginx", "serve", "-c", str(line.configuration)]
    home = str(line.configuration.parent)
    with subprocess.Popen(words, env=environment, cwd=ROOT) as process:
        wait_until(lambda: any("nginx: master process" in each and home in each for each in list(lines.seen)))
        process.send_signal(signal.SIGTERM)
