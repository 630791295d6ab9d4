"""Logins for upstream: one for its own address, and what netrc has for other hosts.

An answer may send us anywhere, and pages link to files on any host. So a login goes with a request only if
scheme, host and port are those of ``[mirror] master``; another host gets what netrc has for it.
"""

import logging
import netrc
import os
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pypi_mirror.options.parsers import LOGIN_VARIABLE

log = logging.getLogger(__name__)

LOGIN_ADVICE: Final = (
    f"If upstream needs a login, set {LOGIN_VARIABLE} to user:password or to a token, in Airflow the "
    "connection pypi_mirror_upstream, or write it into netrc"
)
_PORTS: Final = {"http": 80, "https": 443}

Login = tuple[str, str]
"""User name and password."""


def parse_login(text: str) -> Login:
    """``user:password``, or a token alone, whose user is called ``__token__``."""
    user, colon, password = text.strip().partition(":")
    return (user, password) if colon else ("__token__", user)


class Logins:
    """What goes into the header ``Authorization`` of each request."""

    def __init__(self, master: str, login: str | None, by_host: Mapping[str, Login]) -> None:
        """``login`` is for ``master`` and goes before what ``by_host`` has for its host."""
        self._home = _origin(master)
        self._by_host = dict(by_host)
        own = parse_login(login) if login and login.strip() else self._by_host.get(self._home[1])
        self._own = None if own is None else _basic(own)

    def header(self, url: str) -> str | None:
        """``Basic …`` for the address, None where nothing is to be sent."""
        if self._own is None and not self._by_host:
            return None
        origin = _origin(url)
        if origin == self._home:
            return self._own
        scheme, host, _ = origin
        # Another port of upstream's host is another server, and nothing that was https goes out in the clear.
        if host == self._home[1] or (self._home[0] == "https" and scheme != "https"):
            return None
        login = self._by_host.get(host)
        return None if login is None else _basic(login)


def netrc_logins(environ: Mapping[str, str] = os.environ) -> dict[str, Login]:
    """What ``$NETRC`` or ``~/.netrc`` says of each host; its ``default`` is not used."""
    path = Path(environ["NETRC"]) if environ.get("NETRC") else Path.home() / ".netrc"
    try:
        hosts = netrc.netrc(str(path)).hosts
    except FileNotFoundError:
        return {}
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError) as error:
        # What the parser says quotes the file, and with it a password.
        log.warning("%s: cannot be read (%s); no login is taken from it", path, type(error).__name__)
        return {}
    return {
        host.lower(): (user, password or "")
        for host, (user, _account, password) in hosts.items()
        if host != "default"
    }


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(scheme)


def _basic(login: Login) -> str:
    return f"Basic {b64encode(':'.join(login).encode()).decode()}"
