"""What ``mirror`` and ``up`` have in common: everything that has to run before the DAG can."""

import os
import platform
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from local_stack.airflow_api import AirflowApi
from local_stack.errors import StackError
from local_stack.layout import Layout
from local_stack.options import Options
from local_stack.ports import LOOPBACK, accepts, port_problem
from local_stack.samples import fill, plan_downloads, read_samples
from local_stack.services import Service
from local_stack.stack import Stack
from mirror_airflow.configuration import UNSCHEDULED_VARIABLE
from pypi_mirror.changes.upstream_state import ask_upstream
from pypi_mirror.cli.label import is_dead
from pypi_mirror.disk.files import make_directories
from pypi_mirror.errors import ConfigurationError, WebServerError
from pypi_mirror.ledger.upgrade import upgrade_ledger
from pypi_mirror.mirror import open_mirror, open_to_plan
from pypi_mirror.runs.report import fail_run
from pypi_mirror.settings.read import read_settings
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.clients import index_url
from pypi_mirror.webserver.quoting import local_url
from pypi_mirror.webserver.server import nginx_command, require_free_port

DAG_ID = "pypi_mirror"
AUDIT_ID = "pypi_mirror_audit"
# Seconds until upstream is taken for dead before anything was started.
_ASKED_FOR = 10.0
SITE_PORT = 8080
UPSTREAM = "upstream"
NGINX = "nginx"

# Linux wheels for the machine we run on, so that the trial installation finds what it needs.
_TEXT = """\
# Written by `make mirror` and `make up` for the stand-in upstream; changes here do not last.
# README.md has a first configuration of your own; include/mirror.conf explains every option.

[mirror]
directory = mirror
master = http://{loopback}:{upstream_port}

# A few of the projects that the stand-in has; [dependencies] brings what they require, and not the others.
[allowlist]
packages =
    flask
    httpx
    pydantic
    requests
    rich
    yarl

[dependencies]
follow = yes

[platform]
environments =
    linux {machine}, CPython 3.11 to 3.13, glibc 2.28
exclude-filename = macosx|win32|win_amd64|win_arm64

[site]
port = {site_port}

[schedule]
batch-size = 10
retry-delay = 5
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The started stack."""

    api: AirflowApi
    settings: Settings
    conf: Path
    airflow_url: str


def bring_up(stack: Stack, options: Options, console: Console, *, scheduled: bool) -> Running:
    """Start the stand-in upstream where the configuration needs it, nginx and Airflow.

    Ports and configuration are checked before anything is downloaded or started. Without
    ``scheduled`` the DAG runs by hand only.
    """
    sample = options.conf is None
    conf = _conf(stack, options)
    settings = _settings(conf)
    with_stand_in = sample or needs_stand_in(settings, port=options.upstream_port)
    require_ports(settings, options, with_stand_in=with_stand_in)
    if with_stand_in:
        if not sample:
            console.print(f"[mirror] master is {settings.master}: starting the stand-in upstream there")
        _start_upstream(stack, options, console)
    upgraded = upgrade_ledger(settings, is_dead=is_dead)
    if upgraded.before not in (None, upgraded.after):
        console.print(upgraded.described)
    if not sample:
        _ask_upstream(settings, console, goes_on=scheduled)
    if serves_itself(settings):
        make_directories(str(settings.web))
        stack.start(nginx_service(stack.layout, settings), ready=lambda: site_answers(settings))
    console.print("starting Airflow (half a minute, or two on a busy machine)")
    api = stack.start_airflow(
        port=options.airflow_port,
        mirror_conf=conf,
        dag_id=DAG_ID,
        database=options.database,
        extra_env={} if scheduled else {UNSCHEDULED_VARIABLE: "1"},
        on_interrupted=lambda run_id: end_in_ledger(settings, run_id),
    )
    api.pause(DAG_ID, paused=False)
    if scheduled:
        stack.await_dag(api, AUDIT_ID)
        api.pause(AUDIT_ID, paused=False)
    return Running(
        api=api, settings=settings, conf=conf, airflow_url=f"http://localhost:{options.airflow_port}/"
    )


def _ask_upstream(settings: Settings, console: Console, *, goes_on: bool) -> None:
    """Say at once that upstream does not answer: a run under Airflow would ask again for minutes first."""
    with open_to_plan(replace(settings, timeout=min(settings.timeout, _ASKED_FOR))) as mirror:
        once = replace(mirror.patience, attempts=1, stale_wait=0, missing_wait=0, outage_wait=0)
        look = ask_upstream(replace(mirror, patience=once))
    if look.silent_since is None:
        return
    reason = f"upstream does not answer: {look.trouble}"
    if not goes_on:
        raise StackError(f"{reason}. Nothing was started; try again once upstream answers")
    console.print(f"{reason}. The runs of the DAG {DAG_ID} ask upstream again", style="yellow")


def end_in_ledger(settings: Settings, run_id: str) -> None:
    """A run that was cut off: it has failed, and the next one need not wait for its lease."""
    # Of an older program, where this one came in between: it holds the ledger, and is no more.
    upgrade_ledger(settings, is_dead=run_id.__eq__)
    with open_mirror(settings) as mirror:
        fail_run(mirror, run_id, "it was cut off when the stack was stopped")


def _conf(stack: Stack, options: Options) -> Path:
    if options.conf is None:
        return write_sample_conf(
            stack.layout, upstream_port=options.upstream_port, site_port=options.site_port or SITE_PORT
        )
    return options.conf.absolute()


def _settings(conf: Path) -> Settings:
    try:
        return read_settings(conf)
    except ConfigurationError as error:
        count = len(error.mistakes)
        raise StackError(
            f"the configuration has {count} mistake{'s' if count > 1 else ''}:\n{error}"
        ) from error


def _start_upstream(stack: Stack, options: Options, console: Console) -> None:
    for failure in fill(stack.layout.wheels, plan_downloads(read_samples()), say=console.print):
        console.print(f"not downloaded: {failure}", style="yellow")
    if not any(path.is_file() for path in stack.layout.wheels.iterdir()):
        raise StackError(
            "pip could not download a single sample package, see above; it needs a package index the first "
            "time, afterwards the packages are in var/wheels"
        )
    port = options.upstream_port
    stack.start(upstream_service(stack.layout, port=port), ready=lambda: accepts(port))


def write_sample_conf(layout: Layout, *, upstream_port: int, site_port: int) -> Path:
    """Write ``var/mirror.conf`` and return its path."""
    layout.var.mkdir(parents=True, exist_ok=True)
    layout.sample_conf.write_text(
        _TEXT.format(
            loopback=LOOPBACK,
            upstream_port=upstream_port,
            site_port=site_port,
            machine=platform.machine() if platform.machine() in ("x86_64", "aarch64") else "x86_64",
        )
    )
    return layout.sample_conf


def upstream_service(layout: Layout, *, port: int) -> Service:
    """The stand-in upstream over the sample packages; it remembers its events, so serials stay."""
    return Service(
        name=UPSTREAM,
        argv=(
            *(sys.executable, "-m", "tests.warehouse", "--port", str(port)),
            *("--folder", str(layout.wheels), "--state", str(layout.var / "upstream.state")),
        ),
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(layout.checkout), str(layout.include)))},
        cwd=layout.checkout,
    )


def nginx_service(layout: Layout, settings: Settings) -> Service:
    """nginx in the foreground, with its configuration written and tested."""
    try:
        argv = nginx_command(settings)
    except (WebServerError, OSError) as error:
        raise StackError(str(error)) from error
    return Service(name=NGINX, argv=argv, env=os.environ, cwd=layout.checkout)


def serves_itself(settings: Settings) -> bool:
    """Whether nginx is ours to start: there is a site, and no other nginx is told to reload for it."""
    return settings.site.enabled and settings.site.is_signalled


def site_answers(settings: Settings) -> bool:
    """Whether our nginx answers where the settings have it listen, which need not be the loopback."""
    return accepts(settings.site.port, host=urlsplit(local_url(settings.site)).hostname or LOOPBACK)


def index_from_here(settings: Settings) -> str:
    """The index's address for a client on this machine.

    Our own nginx is asked where it listens, or at [site] probe-url: the public name may not be known here, or
    lead to a proxy that is not up yet.
    """
    known = serves_itself(settings) or settings.site.probe_url is not None
    return f"{local_url(settings.site)}/simple/" if known else index_url(settings)


def needs_stand_in(settings: Settings, *, port: int) -> bool:
    """Whether ``[mirror] master`` is the stand-in's address and nothing answers there."""
    master = urlsplit(settings.master)
    is_its_address = (
        master.scheme == "http" and master.hostname in (LOOPBACK, "localhost") and master.port == port
    )
    return is_its_address and not accepts(port)


def require_ports(settings: Settings, options: Options, *, with_stand_in: bool) -> None:
    """StackError that names every port that is taken, and how to change each."""
    problems = [
        port_problem(
            options.airflow_port, used_for="Airflow", how_to_change="choose another one with AIRFLOW_PORT=…"
        ),
        _site_port_problem(settings, sample=options.conf is None),
    ]
    if with_stand_in:
        problems.append(
            port_problem(
                options.upstream_port,
                used_for="the stand-in upstream",
                how_to_change="choose another one with UPSTREAM_PORT=…",
            )
        )
    if found := [problem for problem in problems if problem is not None]:
        raise StackError("\n".join(found))


def _site_port_problem(settings: Settings, *, sample: bool) -> str | None:
    if not serves_itself(settings):
        return None
    if sample:
        return port_problem(
            settings.site.port, used_for="nginx", how_to_change="choose another one with NGINX_PORT=…"
        )
    try:
        require_free_port(settings)
    except WebServerError as error:
        return str(error)
    return None
