"""What the command line of the stack asks for."""

import argparse
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from local_stack.airflow_server import VARIABLE
from local_stack.ports import AIRFLOW_PORT, UPSTREAM_PORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``conf`` None stands for the stand-in upstream and its own configuration; ``site_port`` is for that.

    ``database`` is the URL of Airflow's own, None for SQLite.
    """

    command: str
    conf: Path | None = None
    airflow_port: int = AIRFLOW_PORT
    site_port: int | None = None
    upstream_port: int = UPSTREAM_PORT
    install: str | None = None
    database: str | None = None

    def typed(self, command: str) -> str:
        """``command`` of make as it is typed for this configuration."""
        return f"make {command}" + ("" if self.conf is None else f" CONF={shlex.quote(str(self.conf))}")


def parse_options(arguments: list[str]) -> Options:
    """The options; argparse ends the program with 2 and a usage line when they make no sense."""
    parser = argparse.ArgumentParser(prog="python -m local_stack", description="Use it through make.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("mirror", "mirror once with Airflow, install a package from the mirror, stop everything"),
        ("up", "start everything and leave it running"),
        ("down", "stop what is running"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        if name == "down":
            continue
        command.add_argument("--conf", type=Path, metavar="FILE", help="your mirror.conf")
        command.add_argument("--airflow-port", type=_port, default=AIRFLOW_PORT, metavar="PORT")
        command.add_argument("--nginx-port", type=_port, dest="site_port", metavar="PORT")
        command.add_argument("--upstream-port", type=_port, default=UPSTREAM_PORT, metavar="PORT")
        if name == "mirror":
            command.add_argument("--install", metavar="NAME", help="the package to install at the end")
    given = parser.parse_args(arguments)
    if getattr(given, "conf", None) is not None and given.site_port is not None:
        parser.error(f"NGINX_PORT is for `make` without CONF; set [site] port in {given.conf} instead")
    return Options(**vars(given), database=os.environ.get(VARIABLE) or None)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)
