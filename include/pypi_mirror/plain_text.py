"""What must not reach people as it is: secrets in addresses, and upstream's words.

The rule: an address appears in a message, a page or a log only as :func:`without_secrets` has it; words that
upstream chose enter the engine's errors only through :func:`plain`. Nothing later has to know where a text
is from.
"""

import re
import unicodedata
from typing import Final
from urllib.parse import unquote_plus

# Longer than any sentence of ours with a name in it; what upstream adds beyond is noise, or an attack.
LONGEST: Final = 2000
HIDDEN: Final = "***"
# What names a project or a file, as pip writes it behind an address.
_NAMING: Final = re.compile(
    r"(?:egg|subdirectory|sha256)=[A-Za-z0-9._/\[\],-]*(?:&(?:egg|subdirectory)=[A-Za-z0-9._/\[\],-]*)?"
)

# Parameters of a database's URL that are no secrets. Of others nobody knows.
_HARMLESS: Final = re.compile(
    r"application_name|cache|channel_binding|client_encoding|connect_timeout|dbname|gssencmode|host(?:addr)?|mode"
    r"|keepalives(?:_count|_idle|_interval)?|load_balance_hosts|nolock|options|passfile|port|service"
    r"|ssl(?:cert|certmode|crl|crldir|key|mode|negotiation|rootcert|sni)|target_session_attrs|tcp_user_timeout"
    r"|timeout|uri|user"
)
# Where chat programs see markup begin (a link, a mention, a tag), and names that call people.
_MARKUP: Final = re.compile(r"<(?=[!@#/?A-Za-z])")
_MENTION: Final = re.compile(r"(?<![\w.])@(?=\w)")


def plain(text: str) -> str:
    """``text`` as one line that stays text on a terminal, in a mail and in a chat.

    Control characters, marks of direction and invisible ones go; what would be markup or a mention is none.
    """
    shown = "".join(map(_visible, text[: LONGEST + 1]))
    shown = _MENTION.sub("(at)", _MARKUP.sub("\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", shown))
    return shown if len(text) <= LONGEST else f"{shown[:LONGEST]}…"


def _visible(character: str) -> str:
    if (
        character.isprintable()
    ):  # everything but controls, formats, separators other than space, and the unassigned
        return character
    return "" if unicodedata.category(character) == "Cf" else " "


def without_secrets(url: str) -> str:
    """``url`` for people: passwords, tokens and the values of unknown parameters are ``***``.

    A user name stays where a password follows it; a user name alone can be a token. A password that holds
    ``@``, ``/`` or ``?`` as they are is hidden whole.
    """
    before, separator, rest = url.partition("://")
    if not separator:
        before, rest = "", url
    if not rest.startswith("/") and "@" in rest:
        userinfo, _, rest = rest.rpartition("@")
        user, colon, _ = userinfo.partition(":")
        safe = bool(colon) and not set(user) & set("/?#@")
        rest = f"{user}:{HIDDEN}@{rest}" if safe else f"{HIDDEN}@{rest}"
    rest, _, fragment = rest.partition("#")
    place, question, query = rest.partition("?")
    shown = "&".join(map(_parameter, query.split("&"))) if question else ""
    end = "" if not fragment else f"#{fragment if _NAMING.fullmatch(fragment) else HIDDEN}"
    return f"{before}{separator}{place}{question}{shown}{end}"


def plain_address(url: str) -> str:
    """``url`` as both rules have it."""
    return plain(without_secrets(url)).replace(f"{HIDDEN}(at)", f"{HIDDEN}@")


def _parameter(text: str) -> str:
    name, equals, _ = text.partition("=")
    if not name or (equals and _HARMLESS.fullmatch(unquote_plus(name))):
        return text
    return f"{name}={HIDDEN}" if equals else HIDDEN
