"""``[ledger] url``: where the ledger is, as an SQLAlchemy URL. Looked at without importing SQLAlchemy."""

import re

from pypi_mirror.options.parsers import BadValue, nearest, parse_text
from pypi_mirror.plain_text import without_secrets

LEDGER_VARIABLE = "PYPI_MIRROR_LEDGER_URL"

_SCHEMES = ("sqlite", "postgresql+psycopg")


def parse_ledger_url(text: str) -> str:
    """A URL that may hold a password: for the environment variable."""
    scheme, separator, rest = parse_text(text).partition("://")
    if not separator or scheme not in _SCHEMES:
        hint = nearest(scheme, _SCHEMES)
        raise BadValue(f"a ledger's URL begins with sqlite:// or postgresql+psycopg://{hint}")
    if scheme == "sqlite" and (not rest.startswith("//") or rest == "//"):
        raise BadValue(
            "an SQLite ledger needs an absolute path, with four slashes: sqlite:////srv/pypi/ledger.sqlite"
        )
    if scheme != "sqlite" and not re.fullmatch(r"[^/?#]*/[^/?#]+(?:\?[^#]*)?", rest):
        raise BadValue("write postgresql+psycopg://USER@HOST:PORT/DATABASE")
    if scheme != "sqlite" and ("@" in rest.partition("?")[0].partition("/")[2] or rest.count("@") > 1):
        raise BadValue("a password's own @ / ? # and : are written %40 %2F %3F %23 and %3A")
    return text


def parse_ledger_url_without_password(text: str) -> str:
    """A URL as it may stand in the file."""
    if _has_secret(text):
        raise BadValue(
            f"this file must not contain passwords; put the whole URL into {LEDGER_VARIABLE}, "
            "or the password into PostgreSQL's ~/.pgpass"
        )
    return parse_ledger_url(text)


def _has_secret(text: str) -> bool:
    """Whether people are not shown all of ``text``, but for a user name alone: databases know no tokens."""
    before, separator, rest = text.partition("://")
    user, at, place = rest.partition("@")
    if at and not set(user) & set(":/?#"):
        rest = place
    return without_secrets(f"{before}{separator}{rest}") != f"{before}{separator}{rest}"
