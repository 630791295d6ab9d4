"""What clients put into their configuration to use this mirror: pip, uv, Poetry and the environment."""

import ipaddress
from urllib.parse import urlsplit

from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.quoting import public_url


def index_url(settings: Settings) -> str:
    """The index's address, ``<public_url>/simple/``."""
    return f"{public_url(settings)}/simple/"


def trusted_host(settings: Settings) -> str | None:
    """The ``host[:port]`` that pip must be told to trust, None if it needs no telling.

    pip accepts plain http only from the loopback and from trusted hosts; it warns and ignores the index
    otherwise.
    """
    parts = urlsplit(public_url(settings))
    if parts.scheme == "https" or _is_loopback(parts.hostname or ""):
        return None
    return parts.netloc


def pip_conf(settings: Settings) -> str:
    """A whole ``pip.conf`` (``pip.ini`` on Windows)."""
    trust = trusted_host(settings)
    lines = ["[global]", f"index-url = {index_url(settings)}"]
    if trust is not None:
        lines.append(f"trusted-host = {trust}")
    return "\n".join(lines) + "\n"


def uv_toml(settings: Settings) -> str:
    """A whole ``uv.toml``; in ``pyproject.toml`` the table is ``[[tool.uv.index]]``."""
    return f'[[index]]\nurl = "{index_url(settings)}"\ndefault = true\n'


def poetry_source(settings: Settings) -> str:
    """The table for ``pyproject.toml`` that makes the mirror Poetry's primary, and so only, source."""
    return f'[[tool.poetry.source]]\nname = "mirror"\nurl = "{index_url(settings)}"\npriority = "primary"\n'


def environment(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Environment variables that have pip and uv use the mirror, for containers and CI."""
    trust = trusted_host(settings)
    variables = [("PIP_INDEX_URL", index_url(settings))]
    if trust is not None:
        variables.append(("PIP_TRUSTED_HOST", trust))
    variables.append(("UV_DEFAULT_INDEX", index_url(settings)))
    return tuple(variables)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
