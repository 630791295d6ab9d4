"""What kind of index the server is, and the addresses it writes into its pages."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Behaviour:
    """``changelog_page`` is the most rows a changelog call gives. ``quota`` XML-RPC calls are counted in
    ``window`` seconds; the last of them is refused already, as upstream does. ``gzip`` compresses what is
    no file for clients that accept it. ``base`` is where the simple pages are (PEP 503 allows any address),
    ``root_list`` the status that the list of projects is answered with, ``login`` the ``user:password``
    without which everything is 401. ``core_metadata`` False is an index that does not know PEP 658.
    """

    json_pages: bool = True
    xmlrpc: bool = True
    legacy_json: bool = True
    serials: bool = True
    gzip: bool = True
    base: str = "/simple/"
    root_list: int = 200
    login: str | None = None
    core_metadata: bool = True
    changelog_page: int = 50_000
    quota: int = 3600
    window: int = 3600


PYPI = Behaviour()
STATIC = Behaviour(xmlrpc=False, legacy_json=False)
SERIAL_LESS = Behaviour(xmlrpc=False, legacy_json=False, serials=False)
HTML_ONLY = Behaviour(json_pages=False, xmlrpc=False, legacy_json=False, serials=False)

KINDS = {"pypi": PYPI, "static": STATIC, "serial-less": SERIAL_LESS, "html-only": HTML_ONLY}
"""The names ``python -m tests.warehouse --kind`` knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hosts:
    """Base URLs without a trailing slash: of the index and of the file host."""

    site: str
    files: str
