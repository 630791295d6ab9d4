"""Which configuration the live server runs, and waiting until it runs a new one.

The server tells by itself: the header ``X-Mirror-Config`` of every answer names its configuration, and what
``supervisor.py`` refused it serves under the name of that configuration, with nginx's words. So the two
need nothing in common but the file and the site, wherever nginx runs.
"""

import time

import requests

from pypi_mirror.errors import WebServerError
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.quoting import local_url, server_name
from pypi_mirror.webserver.render import REFUSED

FINGERPRINT_HEADER = "X-Mirror-Config"

_ANSWER_PATIENCE = 5.0
_LOOK_AGAIN = 0.2
# The supervisor looks twice a second and nginx reads a map of a million names in two; a busy machine takes
# longer.
_PATIENCE = 60.0


class NotReloaded(WebServerError):
    """The live server does not run the new configuration, and has not refused it either."""


def running_fingerprint(settings: Settings) -> str | None:
    """Which configuration the live server runs; None if none answers or it is not ours."""
    answer = _ask(settings, "HEAD", "/simple/")
    return None if answer is None else answer.headers.get(FINGERPRINT_HEADER)


def await_reload(settings: Settings, fingerprint: str, *, patience: float = _PATIENCE) -> None:
    """Wait until the live server runs the configuration ``fingerprint``.

    ``WebServerError`` with nginx's words as soon as it has refused it, ``NotReloaded`` after ``patience``
    seconds.
    """
    end = time.monotonic() + patience
    while (running := running_fingerprint(settings)) != fingerprint:
        answer = _ask(settings, "GET", f"/{REFUSED}/{fingerprint}")
        if answer is not None and answer.status_code == requests.codes.ok:
            raise WebServerError(
                f"nginx at {local_url(settings.site)} refused the new configuration and keeps the "
                f"old one: {answer.text.strip()}"
            )
        if time.monotonic() > end:
            found = "nothing answers there" if running is None else f"{FINGERPRINT_HEADER} there is {running}"
            raise NotReloaded(
                f"{local_url(settings.site)}: nginx did not load the new configuration ({fingerprint}) "
                f"within {patience:.0f} seconds; {found}. [site] reload = watch needs `pypi-mirror nginx "
                "serve` with the same mirror.conf and directory: look at its log, and whether [site] "
                "probe-url is where it answers"
            )
        time.sleep(_LOOK_AGAIN)


def _ask(settings: Settings, method: str, path: str) -> requests.Response | None:
    with requests.Session() as session:
        # A proxy in the environment is for upstream, not for the server next door.
        session.trust_env = False
        try:
            return session.request(
                method,
                f"{local_url(settings.site)}{path}",
                headers={"Host": f"{server_name(settings)}:{settings.site.port}"},
                timeout=_ANSWER_PATIENCE,
                allow_redirects=False,
            )
        except requests.RequestException:
            return None
