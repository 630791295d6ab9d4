"""From settings to words of an nginx configuration: quoted where nginx can quote, refused where it cannot.

nginx reads ``"…"`` with backslash escapes, but inside it still expands ``$name`` and has no way to write a
plain dollar sign. Addresses and names go into regular expressions, headers and other people's files, so
they are held to what they may be, not escaped.
"""

import ipaddress
import re
from pathlib import Path
from urllib.parse import urlsplit

from pypi_mirror.errors import ConfigurationError, Mistake
from pypi_mirror.settings.values import Settings, Site

_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
# Stands unquoted in INI files and shell lines, and between quotes in TOML.
_URL = re.compile(r"[A-Za-z0-9._~:/@+,=%\[\]-]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_HIGHEST_PORT = 65535


def quote(text: str) -> str:
    """``text`` as one word of an nginx configuration; a ``$`` in it names a variable."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def quote_path(path: Path, *, key: str, settings: Settings) -> str:
    """An absolute path as one word; ``ConfigurationError`` names ``key`` if nginx has no way to write it."""
    text = str(path)
    if not path.is_absolute():
        raise refusal(settings, key, f"{text!r} is not an absolute path")
    if "$" in text or _UNPRINTABLE.search(text):
        raise refusal(
            settings,
            key,
            f"{text!r} holds a dollar sign or a control character, which nginx cannot take in a path; "
            "choose another name",
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise refusal(settings, key, f"{text!r} is not valid UTF-8") from None
    return quote(text)


def quote_include(path: Path, *, key: str, settings: Settings) -> str:
    """As ``quote_path``, for ``include``, which hands a path with ``*``, ``?`` or ``[`` in it to glob(3)."""
    text = str(path)
    if re.search(r"[*?[]", text):
        # A pattern that matches nothing is no error for nginx, so this has to be exact.
        text = re.sub(r"[*?[]", r"[\g<0>]", text.replace("\\", "\\\\"))
    return quote_path(Path(text), key=key, settings=settings)


def listen_addresses(settings: Settings) -> tuple[str, ...]:
    """``address:port`` for each ``listen``, IPv6 in brackets.

    ``::`` is every address of this machine, IPv4's too, unless the list has one of those.
    """
    site = settings.site
    if not 1 <= site.port <= _HIGHEST_PORT:
        raise refusal(settings, "[site] port", f"{site.port} is not between 1 and {_HIGHEST_PORT}")
    if not site.listen:
        raise refusal(settings, "[site] listen", "there is no address to listen on")
    addresses = [_listen_address(settings, listen) for listen in site.listen]
    both = len(addresses) == 1 or all(address.startswith("[") for address in addresses)
    any_address = f"[::]:{site.port}"
    return tuple(
        f"{address} ipv6only={'off' if both else 'on'}" if address == any_address else address
        for address in dict.fromkeys(addresses)
    )


def _listen_address(settings: Settings, listen: str) -> str:
    bare = listen.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        if listen != "*" and not _HOST.fullmatch(listen):
            raise refusal(
                settings, "[site] listen", f"{listen!r} is neither an IP address nor a host name"
            ) from None
        return f"{listen}:{settings.site.port}"
    return f"[{address}]:{settings.site.port}" if address.version == 6 else f"{bare}:{settings.site.port}"


def server_name(settings: Settings) -> str:
    """The host name for ``server_name``."""
    host = settings.site.host
    if _HOST.fullmatch(host):
        return host
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise refusal(settings, "[site] host", f"{host!r} is not a host name") from None
    return f"[{address}]" if address.version == 6 else str(address)


def alias_names(settings: Settings) -> tuple[str, ...]:
    """The names for the ``server_name`` of ``[site] aliases``, each once."""
    names = tuple(dict.fromkeys(name.lower() for name in settings.site.aliases))
    for name in names:
        if not _HOST.fullmatch(name):
            raise refusal(settings, "[site] aliases", f"{name!r} is not a host name")
    return names


def site_prefix(settings: Settings) -> str:
    """The checked prefix: safe in a location, a regular expression (escape the dots) and a header."""
    prefix = settings.site.prefix
    if not _PREFIX.fullmatch(prefix):
        raise refusal(
            settings,
            "[site] prefix",
            f"{prefix!r} must be empty, or path segments of letters, digits and ._~- such as /pypi",
        )
    return prefix


def public_url(settings: Settings) -> str:
    """The checked address that clients are told: http or https, no credentials, query or fragment."""
    url = settings.site.public_url
    key = "[site] public-url"
    if not _URL.fullmatch(url):
        raise refusal(settings, key, f"{url!r} is not an address that fits into every client's configuration")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise refusal(settings, key, f"{url!r}: {error}") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise refusal(settings, key, f"{url!r} must start with http:// or https:// and name a host")
    if "@" in parts.netloc:
        raise refusal(settings, key, f"{url!r} holds a user name, which every client would then be shown")
    return url.rstrip("/")


def public_path(settings: Settings) -> str:
    """The path of ``public_url``: empty, or with a leading and without a trailing slash.

    It is the prefix, unless a proxy before nginx serves the site below another path.
    """
    return urlsplit(public_url(settings)).path.rstrip("/")


def local_url(site: Site) -> str:
    """Where the site is reached from here: ``[site] probe-url``, else the first address that nginx listens
    on, a wildcard replaced by the loopback."""
    if site.probe_url is not None:
        return site.probe_url
    bare = site.listen[0].removeprefix("[").removesuffix("]")
    host = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(bare, bare)  # noqa: S104 - compared
    return f"http://{f'[{host}]' if ':' in host else host}:{site.port}{site.prefix}"


def refusal(settings: Settings, key: str, message: str) -> ConfigurationError:
    """The error for a setting that cannot be rendered."""
    path = settings.path or settings.directory
    return ConfigurationError(path, [Mistake(line=None, key=key, message=message)])
