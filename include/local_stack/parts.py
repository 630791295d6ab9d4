"""The stand-in upstream and nginx as services of the stack."""

import os
import sys
from urllib.parse import urlsplit

from local_stack.errors import StackError
from local_stack.layout import Layout
from local_stack.ports import LOOPBACK, accepts, require_free
from local_stack.services import Service
from pypi_mirror.errors import WebServerError
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.clients import index_url
from pypi_mirror.webserver.quoting import local_url
from pypi_mirror.webserver.server import nginx_command, require_free_port

UPSTREAM = "upstream"
NGINX = "nginx"


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


def require_site_port(settings: Settings, *, sample: bool) -> None:
    """StackError, with how to change it, when nginx could not listen on the site's port."""
    if not serves_itself(settings):
        return
    if sample:
        require_free(
            settings.site.port, used_for="nginx", how_to_change="choose another one with NGINX_PORT=…"
        )
        return
    try:
        require_free_port(settings)
    except WebServerError as error:
        raise StackError(str(error)) from error
