"""``mirror``, ``up`` and ``down`` as a person runs them, with a configuration of their own."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from local_stack import commands
from local_stack.airflow_api import AirflowApi
from local_stack.airflow_server import ADMINISTRATOR, read_or_make_keys
from local_stack.errors import StackError
from local_stack.layout import CHECKOUT, Layout
from local_stack.options import parse_options
from local_stack.ports import accepts
from local_stack.stack import Stack
from tests.dags.real_airflow import free_port, upstream_of
from tests.warehouse import running

pytestmark = [pytest.mark.airflow, pytest.mark.servers]


@dataclass
class Person:
    """Who types ``make``; ``stack`` keeps its things where nothing else does."""

    stack: Stack
    conf: Path
    port: int = field(default_factory=free_port)

    def make(self, target: str, *options: str) -> str:
        """What is shown."""
        said = io.StringIO()
        if target != "down":
            options = ("--conf", str(self.conf), "--airflow-port", str(self.port), *options)
        given = parse_options([target, *options])
        getattr(commands, target)(
            self.stack, given, Console(file=said, width=300, soft_wrap=True, markup=False)
        )
        return said.getvalue()


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    checkout = CHECKOUT
    stack = Stack(Layout(checkout, var=tmp_path / "var", dags=checkout / "dags"))
    try:
        yield Person(stack=stack, conf=tmp_path / "mirror.conf")
    finally:
        stack.stop(patience=1)


def test_mirror_leaves_nothing_running_and_up_all_of_it(person: Person, tmp_path: Path) -> None:
    site = free_port()
    with running(upstream_of("alpha", "beta")) as upstream:
        person.conf.write_text(
            f"[mirror]\ndirectory = {tmp_path}/mirror\nmaster = {upstream.url}\n"
            f"[site]\nport = {site}\n[schedule]\nprojects-per-run = 1\n"
        )
        said = person.make("mirror", "--install", "alpha")
        assert "The mirror holds 1 project, 1 file," in said
        assert "; paused by [schedule] projects-per-run: 1 of 2 projects done; 1 project left" in said
        assert "pip installed from it: alpha 1.0." in said
        assert person.stack.running() == ()

        said = person.make("up")
        address = f"http://localhost:{person.port}/"
        assert f"Airflow:  {address}  (user admin" in said
        assert f"Page:     {address}plugin/pypi-mirror  (" in said
        assert "stand-in" not in said
        assert f"pypi-mirror status -c {person.conf}" in said
        assert accepts(site)
        password = read_or_make_keys(person.stack.layout.airflow_home).password
        api = AirflowApi(address.rstrip("/"), user=ADMINISTRATOR, password=password)
        paused = {dag["dag_id"]: dag["is_paused"] for dag in api.request("GET", "/dags")["dags"]}
        api.close()
        assert paused == dict.fromkeys(
            ("pypi_mirror", "pypi_mirror_audit", "pypi_mirror_cooldown", "pypi_mirror_watch"), False
        )

        assert person.make("up").startswith("it is up already:\n")
        with pytest.raises(StackError, match=r"the stack is up with .*make down && make mirror CONF="):
            person.make("mirror")
        assert person.make("down").startswith("stopping what was started\nstopped: api-server, ")
    assert person.stack.running() == ()
    assert not accepts(site)
    assert person.make("down") == "nothing was running\n"


@pytest.mark.parametrize("target", ["up", "mirror"])
def test_a_configuration_that_is_missing_is_said_before_anything_else(person: Person, target: str) -> None:
    with pytest.raises(StackError, match=f"there is no file {person.conf}; CONF names your mirror.conf"):
        person.make(target)
