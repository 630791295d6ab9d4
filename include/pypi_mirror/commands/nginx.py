"""``pypi-mirror nginx render|reload``: the web server's configuration."""

import argparse
import sys
from typing import Any

from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.read import read_settings
from pypi_mirror.steps.reload_nginx import reload_nginx
from pypi_mirror.webserver.reload import write_site
from pypi_mirror.webserver.render import site_config_path


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser("nginx", help="render nginx's configuration, or have it take effect")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    render = actions.add_parser(
        "render", parents=[common], help="write the configuration, tested by nginx -t, and show it"
    )
    render.set_defaults(run=run_render)
    reload = actions.add_parser(
        "reload", parents=[common], help="render, reload the running nginx, and try the site as a client"
    )
    reload.set_defaults(run=run_reload)


def run_render(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments.config)
    with open_mirror(settings):
        written = write_site(settings)
    path = site_config_path(settings)
    sys.stdout.write(path.read_text())
    print(f"# {path}: {'written' if written.changed else 'unchanged'}", file=sys.stderr)
    return 0


def run_reload(arguments: argparse.Namespace) -> int:
    with open_mirror(read_settings(arguments.config)) as mirror:
        reloaded = reload_nginx(mirror)
    print("nginx reloaded." if reloaded.reloaded else "nginx runs this configuration already.")
    for line in reloaded.probed:
        print(f"  {line}")
    return 0
