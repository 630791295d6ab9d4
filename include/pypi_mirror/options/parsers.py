"""Single values: from the text in the file to a typed value, and back for people.

Each ``parse_…`` takes the stripped text, never empty, and returns the value or raises BadValue. Functions
with arguments of their own return such a parser.
"""

import difflib
import ipaddress
import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import SplitResult, urlsplit

from pypi_mirror.clock import time_zone

LOGIN_VARIABLE: Final = "PYPI_MIRROR_LOGIN"

T = TypeVar("T")
Parser = Callable[[str], T]

_BOOLEANS: dict[str, bool] = {
    "1": True,
    "yes": True,
    "true": True,
    "on": True,
    "0": False,
    "no": False,
    "false": False,
    "off": False,
}
_YES_OR_NO: Final = {True: "yes", False: "no"}
PROXY_SCHEMES = ("http", "https", "socks4", "socks5")

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
_CONNECTION = re.compile(r"[A-Za-z0-9_.:#()-]+")
_MAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


class BadValue(ValueError):
    """The text is no such value; each of ``messages`` says what is expected.

    Half a sentence, without a full stop: the place stands before it, and a hint behind it.
    """

    def __init__(self, *messages: str) -> None:
        self.messages = messages
        super().__init__("; ".join(messages))


def nearest(word: str, choices: Iterable[str]) -> str:
    """`` (did you mean …?)`` for the most similar of ``choices``, nothing when none is similar."""
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return f" (did you mean {by_lower[close[0]]!r}?)" if close else ""


def is_like(word: str, choices: Iterable[str]) -> bool:
    """Whether ``word`` is so similar to one of ``choices`` that it is most likely that, mistyped."""
    return bool(difflib.get_close_matches(word.lower(), [choice.lower() for choice in choices], cutoff=0.7))


def parse_text(text: str) -> str:
    if "\n" in text:
        raise BadValue("must be on one line; an indented line goes on with the one above it")
    return text


def parse_boolean(text: str) -> bool:
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise BadValue(f"{text!r} is not a boolean; write true or false{nearest(text, ('true', 'false'))}")
    return value


def integer(low: int, high: int) -> Parser[int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise BadValue(f"{text!r} is not a whole number; write one from {low} to {high}")
        value = int(text)
        _check_range(value, low, high)
        return value

    return parse


def number(low: float, high: float, unit: str) -> Parser[float]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?", text):
            span = f"from {_plain(low)} to {_plain(high)}"
            raise BadValue(f"{text!r} is not a number of {unit}; write one {span}")
        value = float(text)
        _check_range(value, low, high)
        return value

    return parse


def _check_range(value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise BadValue(f"{_plain(value)} is out of range; it goes from {_plain(low)} to {_plain(high)}")


def _plain(number: float) -> str:
    """As people write it, without an exponent: ``0.001``, ``1000000``."""
    text = f"{number:.12f}"
    return text.rstrip("0").rstrip(".")


def choice(*choices: str) -> Parser[str]:
    """One of ``choices``; upper and lower case are the same. Where yes or no is one, it may be spelled in any
    way that ``parse_boolean`` takes: a switch is written alike wherever it stands.
    """
    by_lower = {word: c for word, means in _BOOLEANS.items() for c in choices if c == _YES_OR_NO[means]}
    by_lower |= {c.lower(): c for c in choices}

    def parse(text: str) -> str:
        value = by_lower.get(text.lower())
        if value is None:
            raise BadValue(f"{text!r} is not one of {', '.join(choices)}{nearest(text, choices)}")
        return value

    return parse


def parse_path(text: str) -> Path:
    """A path with ``~`` expanded; a relative one is made absolute by the caller."""
    try:
        return Path(parse_text(text)).expanduser()
    except RuntimeError as error:
        raise BadValue(f"{text!r} names a home directory that is not known: {error}") from error


def parse_program(text: str) -> str:
    """A program: a bare name, looked up in PATH, or an absolute path."""
    program = str(parse_path(text))
    if "/" in program and not program.startswith("/"):
        raise BadValue(f"{text!r} is a relative path; write an absolute one, or the program's bare name")
    return program


def parse_command(text: str) -> tuple[str, ...]:
    """A command with its arguments, quoted as for a shell; no shell runs it."""
    try:
        return tuple(shlex.split(parse_text(text)))
    except ValueError as error:
        raise BadValue(f"{text!r} is not a valid command: {error}") from error


def parse_regex(text: str) -> str:
    """A regular expression, checked; one that finds the empty text would find every filename."""
    try:
        pattern = re.compile(parse_text(text))
    except re.error as error:
        raise BadValue(f"{text!r} is not a regular expression: {error}") from error
    if pattern.search(""):
        raise BadValue(
            f"{text!r} matches every filename; is there a `|` too many, or a `*` that should be `+`?"
        )
    return text


def split_url(text: str, schemes: Iterable[str]) -> SplitResult:
    """A URL with a host and a scheme among ``schemes``, without credentials, query and fragment."""
    url = plain_url(text, schemes)
    if url.username is not None or url.password is not None:
        raise BadValue(
            "a URL in this file must not hold a user name or a password; the environment variables "
            "PYPI_MIRROR_PROXY and PYPI_MIRROR_LEDGER_URL are for those of proxy and ledger"
        )
    return url


def plain_url(text: str, schemes: Iterable[str]) -> SplitResult:
    schemes = tuple(schemes)
    try:
        url = urlsplit(parse_text(text))
        host, port = url.hostname, url.port
    except ValueError as error:
        raise BadValue(f"not a URL: {error}") from error
    if url.scheme not in schemes or not host or port == 0:
        raise BadValue(
            f"not a URL like {schemes[0]}://index.example; it must begin with "
            f"{' or '.join(f'{scheme}://' for scheme in schemes)}"
        )
    if not re.fullmatch(r"[A-Za-z0-9._~%!$&'()*+,=:@/\[\]-]*", f"{url.netloc}{url.path}"):
        raise BadValue("a URL must not hold spaces or special characters; write them as %XX")
    if url.query or url.fragment:
        raise BadValue("the URL must not have a query (?…) or a fragment (#…)")
    return url


def parse_web_url(text: str) -> str:
    """An http or https URL, without its trailing slash."""
    split_url(text, ("https", "http"))
    return text.rstrip("/")


def parse_site_url(text: str) -> str:
    """The URL of a site of ours, to which the mirror adds ``/simple/`` or ``/packages/`` itself."""
    url = parse_web_url(text)
    for added in ("/simple", "/packages"):
        if url.endswith(added):
            raise BadValue(
                f"{text!r} ends with {added}, which the mirror adds itself; write {url.removesuffix(added)}"
            )
    return url


def parse_index(text: str) -> str:
    """``pypi``, or the URL of an index: its root, a trailing ``/simple/`` is cut off."""
    if text.lower() == "pypi":
        return "pypi"
    url = plain_url(text, ("https", "http"))
    if url.username is not None or url.password is not None:
        raise BadValue(
            "the address must not hold a user name or a password; set the environment variable "
            f"{LOGIN_VARIABLE} to user:password or to a token, in Airflow the connection "
            "pypi_mirror_upstream, or write it into netrc"
        )
    return text.rstrip("/").removesuffix("/simple").rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether the host of ``url`` is this very machine (PEP 3144 addresses or ``localhost``)."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def parse_proxy(text: str) -> str:
    split_url(text, PROXY_SCHEMES)
    return text.rstrip("/")


def parse_host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise BadValue(f"{text!r} is not a host name; write it without scheme, port and path")
    return text


def parse_listen(text: str) -> str:
    """An IP address of this machine; square brackets around IPv6 are taken off."""
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError as error:
        raise BadValue(
            f"{text!r} is not an IP address; 0.0.0.0 is all of IPv4, :: all of IPv6 and IPv4"
        ) from error


def parse_prefix(text: str) -> str:
    """A URL path: empty, or with a leading and without a trailing slash."""
    prefix = text.rstrip("/")
    if not _PREFIX.fullmatch(prefix):
        raise BadValue(f"{text!r} is not a URL path like /pypi of letters, digits and . _ ~ -")
    return prefix


def parse_connection(text: str) -> str:
    if "//" in text or not _CONNECTION.fullmatch(text):
        raise BadValue("not the id of an Airflow connection; addresses and secrets stay in the connection")
    return text


def parse_mail(text: str) -> str:
    if not _MAIL.fullmatch(text):
        raise BadValue(f"{text!r} is not a mail address")
    return text


# The least and the greatest number in each of a cron expression's fields.
_CRON_FIELDS: Final = {
    "minute": (0, 59),
    "hour": (0, 23),
    "day of the month": (1, 31),
    "month": (1, 12),
    "day of the week": (0, 7),
}
_PLAIN_FIELD: Final = re.compile(r"\*|([0-9]{1,2})|\*/[1-9][0-9]?")


def _is_plain(text: str) -> bool:
    """Whether every cron field is like ``*``, ``17`` or ``*/5``: to see that needs no library."""
    fields = [_PLAIN_FIELD.fullmatch(field) for field in text.split()]
    return len(fields) == len(_CRON_FIELDS) and all(
        field is not None and (field[1] is None or least <= int(field[1]) <= most)
        for field, (least, most) in zip(fields, _CRON_FIELDS.values(), strict=True)
    )


def parse_cron(text: str) -> str | None:
    """Five fields, a preset like ``@daily``, or ``none``.

    croniter, which Airflow will read the expression with, comes with Airflow; where there is no Airflow
    there is no schedule, and the fields are only counted.
    """
    if text.lower() == "none":
        return None
    if not text.startswith("@") and len(text.split()) != 5:
        raise BadValue(
            f"{text!r} must have five fields (minute hour day month weekday), or be one like @daily, or none"
        )
    if _is_plain(text):
        return text
    try:
        from croniter import CroniterError, croniter  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return text
    try:
        croniter.expand(text)
    except CroniterError as error:
        if text.startswith("@"):
            raise BadValue(f"{text!r} is not one like @daily") from error
        wrong = _bad_cron_fields(text, croniter.is_valid)
        raise BadValue(*wrong or [f"not a cron expression: {error}"]) from error
    return text


def _bad_cron_fields(text: str, is_valid: Callable[[str], bool]) -> list[str]:
    """What is wrong with each of the five fields of ``text`` by itself."""
    found = []
    for index, (name, (least, most)) in enumerate(_CRON_FIELDS.items()):
        alone = ["*"] * len(_CRON_FIELDS)
        alone[index] = text.split()[index]
        if not is_valid(" ".join(alone)):
            found.append(f"{alone[index]!r} is not a valid {name}; it goes from {least} to {most}")
    return found


def parse_timezone(text: str) -> str:
    try:
        time_zone(text)
    except (OSError, ValueError, KeyError) as error:
        raise BadValue(f"{text!r} is not a time zone like UTC or Europe/Lisbon") from error
    return text


def format_cron(cron: str | None) -> str:
    return cron or "none"
