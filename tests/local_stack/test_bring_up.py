"""What is done to the ledger before Airflow starts, and when it was cut off."""

import io
import socket
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from local_stack.bring_up import bring_up, end_in_ledger
from local_stack.errors import StackError
from local_stack.options import parse_options
from local_stack.stack import Stack
from pypi_mirror.errors import LedgerError, MirrorBusy
from pypi_mirror.ledger.migrations import HEAD
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import open_mirror
from pypi_mirror.model import RunState
from pypi_mirror.settings.read import read_settings
from pypi_mirror.settings.values import Settings
from tests.ledger.older import make_older, version_at


class NoAirflow:
    """A stack that gets as far as Airflow's start."""

    def start_airflow(self, **_: Any) -> None:
        raise StackError("this is far enough")


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "mirror.conf"
    path.write_text(
        f"[mirror]\ndirectory = {tmp_path}/mirror\nmaster = https://index.example\n[site]\nenabled = false\n"
    )
    return path


@pytest.fixture
def settings(conf: Path) -> Settings:
    return read_settings(conf, {})


def aged(settings: Settings, *, held_by: str | None = None) -> None:
    """A ledger of an older program, in which ``held_by`` is at work."""
    with open_mirror(settings) as mirror:
        if held_by is not None:
            mirror.ledger.lease.take(held_by)
            mirror.ledger.runs.begin(RunRequest(label=held_by))
    ledger = settings.directory / "ledger.sqlite"
    whole = ledger.rename(ledger.with_name("whole.sqlite"))
    make_older(settings.ledger, "0003", like=f"sqlite:///{whole}")


def begin(conf: Path) -> str:
    """What is said until Airflow would start."""
    said = io.StringIO()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = parse_options(["up", "--airflow-port", str(port), "--conf", str(conf)])
    with pytest.raises(StackError, match="this is far enough"):
        bring_up(
            cast("Stack", NoAirflow()), options, Console(file=said, width=300, soft_wrap=True), scheduled=True
        )
    return said.getvalue()


def test_an_older_ledger_is_upgraded_before_airflow_starts(conf: Path, settings: Settings) -> None:
    aged(settings)
    assert f"was upgraded from schema 0003 to {HEAD}." in begin(conf)
    assert version_at(settings.ledger) == HEAD
    assert "schema" not in begin(conf), "once"


def test_there_is_nothing_to_upgrade_at_first(conf: Path, settings: Settings) -> None:
    assert "schema" not in begin(conf)
    assert not (settings.directory / "ledger.sqlite").exists()


def test_nothing_starts_with_a_ledger_of_a_newer_program(conf: Path, settings: Settings) -> None:
    with open_mirror(settings) as mirror, mirror.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerError, match="9999"):
        begin(conf)


def test_nothing_starts_beneath_a_run_of_the_older_program(conf: Path, settings: Settings) -> None:
    aged(settings, held_by="scheduled__2026-11-22T12:00:00+00:00")
    with pytest.raises(MirrorBusy, match="in use by scheduled__2026"):
        begin(conf)
    assert version_at(settings.ledger) == "0003"


def test_a_run_of_the_older_program_that_was_cut_off_is_ended(settings: Settings) -> None:
    label = "scheduled__2026-11-22T12:00:00+00:00"
    aged(settings, held_by=label)
    end_in_ledger(settings, label)
    with open_mirror(settings) as mirror:
        run = mirror.ledger.runs.labelled(label)
        assert run is not None
        assert run.state is RunState.FAILED
        assert mirror.ledger.lease.holder() is None


@pytest.mark.parametrize("command", ["mirror", "up"])
def test_an_upstream_that_is_dead_is_said_before_anything_is_started(tmp_path: Path, command: str) -> None:
    with socket.socket() as unused, socket.socket() as site:
        for each in (unused, site):
            each.bind(("127.0.0.1", 0))
        dead, port = unused.getsockname()[1], site.getsockname()[1]
    conf = tmp_path / "mirror.conf"
    conf.write_text(
        f"[mirror]\ndirectory = {tmp_path}/mirror\nmaster = http://127.0.0.1:{dead}\n"
        "[site]\nenabled = false\n"
    )
    said = io.StringIO()
    with pytest.raises(StackError) as raised:
        bring_up(
            cast("Stack", NoAirflow()),
            parse_options([command, "--airflow-port", str(port), "--conf", str(conf)]),
            Console(file=said, width=300, soft_wrap=True),
            scheduled=command == "up",
        )
    told = str(raised.value) if command == "mirror" else said.getvalue()
    assert f"upstream does not answer: http://127.0.0.1:{dead}" in told
    assert ("Nothing was started" in str(raised.value)) == (command == "mirror")
    assert not (tmp_path / "mirror").exists() or command == "up"
