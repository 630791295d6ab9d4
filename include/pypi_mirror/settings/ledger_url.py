"""``[ledger] url``: where the ledger is, as an SQLAlchemy URL. Looked at without importing SQLAlchemy."""

import re

from pypi_mirror.settings.texts import BadValue, nearest, parse_text

LEDGER_VARIABLE = "PYPI_MIRROR_LEDGER_URL"

_SCHEMES = ("sqlite", "postgresql+psycopg")
_CREDENTIALS = re.compile(r"(?P<before>//[^/@:]*):(?P<password>[^/]*)@")
_PASSWORD_PARAMETER = re.compile(r"(?P<before>[?&]password=)(?P<password>[^&]*)")


def parse_ledger_url(text: str) -> str:
    """A URL that may hold a password: for the environment variable."""
    scheme, separator, rest = parse_text(text).partition("://")
    if not separator or scheme not in _SCHEMES:
        hint = nearest(scheme, _SCHEMES)
        raise BadValue(f"a ledger's URL begins with sqlite:// or postgresql+psycopg://.{hint}")
    if scheme == "sqlite" and (not rest.startswith("//") or rest == "//"):
        raise BadValue(
            "an SQLite ledger needs an absolute path, with four slashes: sqlite:////srv/pypi/ledger.sqlite"
        )
    if scheme != "sqlite" and not re.fullmatch(r"[^/?#]*/[^/?#]+(?:\?[^#]*)?", rest):
        raise BadValue("write postgresql+psycopg://USER@HOST:PORT/DATABASE")
    return text


def parse_ledger_url_without_password(text: str) -> str:
    """A URL as it may stand in the file."""
    if hide_password(text) != text:
        raise BadValue(
            f"passwords do not belong into this file; put the whole URL into {LEDGER_VARIABLE}, "
            "or the password into PostgreSQL's ~/.pgpass"
        )
    return parse_ledger_url(text)


def hide_password(url: str) -> str:
    """``url`` with its passwords replaced by ``***``; for what people read."""
    hidden = _CREDENTIALS.sub(r"\g<before>:***@", url)
    return _PASSWORD_PARAMETER.sub(r"\g<before>***", hidden)
