"""``pypi-mirror nginx render|reload|serve``: the web server's configuration, and the web server itself."""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from pypi_mirror.mirror import open_mirror
from pypi_mirror.publishing.site import show_site
from pypi_mirror.runs.reload_nginx import reload_nginx
from pypi_mirror.settings.read import read_settings
from pypi_mirror.webserver.reload import write_site
from pypi_mirror.webserver.render import Runtime, default_runtime, site_config_path
from pypi_mirror.webserver.server import Foreground, Supervisor


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "nginx",
        parents=[common],
        examples=(
            "pypi-mirror nginx reload    # render the configuration and apply it",
            "pypi-mirror nginx serve     # run nginx in the foreground",
        ),
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    render = actions.add_parser(
        "render",
        parents=[common],
        help="write the configuration, tested by nginx -t, and show it",
        examples=("pypi-mirror nginx render",),
    )
    render.set_defaults(run=run_render)
    reload = actions.add_parser(
        "reload",
        parents=[common],
        help="render, reload the running nginx, and request the site as a client would",
        examples=("pypi-mirror nginx reload",),
    )
    reload.set_defaults(run=run_reload)
    serve = actions.add_parser(
        "serve",
        parents=[common],
        help="run nginx in the foreground; with [site] reload = watch it applies what runs write",
        examples=("pypi-mirror nginx serve --runtime /run/pypi-mirror",),
    )
    serve.add_argument(
        "--runtime",
        type=Path,
        metavar="DIR",
        help="where nginx keeps its own files; by default <directory>/nginx",
    )
    serve.add_argument(
        "--access-log", type=Path, metavar="FILE", help="by default access.log among nginx's own files"
    )
    serve.set_defaults(run=run_serve)


def run_render(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    with open_mirror(settings) as mirror:
        written = write_site(settings)
        show_site(mirror)
    path = site_config_path(settings)
    sys.stdout.write(path.read_text())
    print(f"# {path}: {'written' if written.changed else 'unchanged'}", file=sys.stderr)
    return 0


def run_reload(arguments: argparse.Namespace) -> int:
    with open_mirror(read_settings(arguments.config)) as mirror:
        reloaded = reload_nginx(mirror)
        # It tells clients the address that nginx has now.
        show_site(mirror)
    print("nginx reloaded." if reloaded.reloaded else "nginx runs this configuration already.")
    for line in reloaded.probed:
        print(f"  {line}")
    return 0


def run_serve(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    # It runs for months: its log has to say what it serves.
    logging.getLogger("pypi_mirror").setLevel(logging.INFO)
    folder: Path = arguments.runtime or default_runtime(settings).folder
    access: Path | None = arguments.access_log
    watches = settings.site.reload == "watch"
    runtime = Runtime(
        folder=folder.absolute(),
        access=None if access is None else access.absolute(),
        # `nginx reload` writes the same main file, where it signals this nginx.
        to_terminal=watches,
    )
    supervisor = Supervisor(settings, runtime) if watches else Foreground(settings, runtime)
    supervisor.handle_signals()
    supervisor.run()
    return 0
