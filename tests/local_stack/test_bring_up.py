"""What is done to the ledger before Airflow starts, and when it was cut off."""

import io
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from local_stack.bring_up import UPSTREAM, bring_up, end_in_ledger, needs_stand_in
from local_stack.errors import StackError
from local_stack.layout import CHECKOUT, Layout
from local_stack.options import parse_options
from local_stack.stack import Stack
from pypi_mirror.errors import LedgerError, MirrorBusy
from pypi_mirror.ledger.migrations import HEAD
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import open_mirror
from pypi_mirror.model import RunState
from pypi_mirror.settings.read import read_settings
from pypi_mirror.settings.values import Settings
from tests.dags.real_airflow import free_port
from tests.ledger.older import make_older, version_at
from tests.warehouse import Wheel


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
            Console(file=said, width=300, soft_wrap=True, markup=False),
            scheduled=command == "up",
        )
    told = str(raised.value) if command == "mirror" else said.getvalue()
    assert f"upstream does not answer: http://127.0.0.1:{dead}" in told
    assert told.count("[mirror] master") == 1
    assert ("Nothing was started; try again once upstream answers" in str(raised.value)) == (
        command == "mirror"
    )
    assert not (tmp_path / "mirror").exists() or command == "up"


class UntilAirflow(Stack):
    """A stack whose other parts start and whose Airflow does not."""

    def start_airflow(self, **_: Any) -> Any:
        raise StackError("this is far enough")


@pytest.fixture
def until_airflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UntilAirflow]:
    """With one sample package; none is downloaded."""
    stack = UntilAirflow(Layout(CHECKOUT, var=tmp_path / "var"))
    stack.layout.wheels.mkdir(parents=True)
    wheel = Wheel(name="alpha")
    (stack.layout.wheels / wheel.file_name).write_bytes(wheel.content())
    monkeypatch.setattr("local_stack.bring_up.fill", lambda *_, **__: [])
    try:
        yield stack
    finally:
        stack.stop(patience=1)


@pytest.mark.servers
@pytest.mark.parametrize("command", ["mirror", "up"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_stand_in_is_started_for_a_configuration_that_names_its_address(
    until_airflow: UntilAirflow, tmp_path: Path, command: str, host: str
) -> None:
    upstream = free_port()
    conf = tmp_path / "mirror.conf"
    conf.write_text(
        f"[mirror]\ndirectory = {tmp_path}/mirror\nmaster = http://{host}:{upstream}\n"
        "[site]\nenabled = false\n"
    )
    ports = ("--airflow-port", str(free_port()), "--upstream-port", str(upstream))
    options = parse_options([command, *ports, "--conf", str(conf)])
    said = io.StringIO()
    for _ in range(2):  # the second time it answers, and is used as it is
        with pytest.raises(StackError, match="this is far enough"):
            bring_up(
                until_airflow,
                options,
                Console(file=said, width=300, soft_wrap=True, markup=False),
                scheduled=command == "up",
            )
        assert until_airflow.running() == (UPSTREAM,)
    assert said.getvalue().count("starting the stand-in upstream") == 1
    assert "does not answer" not in said.getvalue()


@pytest.mark.parametrize(
    ("master", "needed"),
    [
        ("http://127.0.0.1:{port}", True),
        ("http://localhost:{port}", True),
        ("https://127.0.0.1:{port}", False),
        ("http://127.0.0.1:1", False),
        ("http://127.0.0.1", False),
        ("https://index.example", False),
        ("https://index.example:{port}", False),
    ],
)
def test_only_its_own_address_needs_the_stand_in(settings: Settings, master: str, needed: bool) -> None:
    port = free_port()
    assert needs_stand_in(replace(settings, master=master.format(port=port)), port=port) is needed


@pytest.mark.parametrize("own_conf", [False, True])
def test_every_port_that_is_taken_is_named_at_once(tmp_path: Path, own_conf: bool) -> None:
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        airflow, upstream, site = (each.getsockname()[1] for each in sockets)
        arguments = ["up", "--airflow-port", str(airflow), "--upstream-port", str(upstream)]
        if own_conf:
            conf = tmp_path / "mirror.conf"
            conf.write_text(
                f"[mirror]\ndirectory = mirror\nmaster = https://index.example\n[site]\nport = {site}\n"
            )
            arguments += ["--conf", str(conf)]
        else:
            arguments += ["--nginx-port", str(site)]
        with pytest.raises(StackError) as raised:
            bring_up(
                UntilAirflow(Layout(CHECKOUT, var=tmp_path / "var")),
                parse_options(arguments),
                Console(file=io.StringIO()),
                scheduled=True,
            )
    lines = str(raised.value).splitlines()
    expected = [f"port {airflow}, needed for Airflow", f"port {site}"]
    if not own_conf:
        expected.append(f"port {upstream}, needed for the stand-in upstream")
    assert len(lines) == len(expected)
    assert all(part in line for part, line in zip(expected, lines, strict=True))
