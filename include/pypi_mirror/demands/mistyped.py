"""What is wrong with a text that is no requirement (PEP 508), in the words of who typed it."""

import re
from typing import Final

# Packages of [allowlist] may be patterns, too.
_NAME: Final = r"[A-Za-z0-9*?][A-Za-z0-9._*?-]*(?:\[[^\]]*\])?"
_SEVERAL: Final = re.compile(rf"{_NAME}(?:(?:\s*,\s*|\s+){_NAME})+,?")
# How such a text begins, in the order in which they are looked at.
_WHY: Final = (
    (r"-", "is an option of pip; [allowlist] requirements names requirement files"),
    (r"[A-Za-z][A-Za-z0-9+.-]*:|[./~]", "is an address or a path; write the project's name"),
    (rf"{_NAME}\s*=[^<=>]", "has a single = before its version; write =="),
    (rf"{_NAME}[^;]*[=~<>]\s*(?:[,;]|$)", "lacks a version; write one, or the name alone for all versions"),
    (rf"{_NAME}\s*[=!~<>]+[^,;]+\s[=!~<>]", "lacks a comma between its versions"),
    (
        rf"{_NAME}[^;]*;",
        "has no condition like python_version >= '3.12' after its semicolon; a comment begins with #",
    ),
)


def is_several(text: str) -> bool:
    """Whether it is several projects, with commas or spaces between them."""
    return _SEVERAL.fullmatch(text) is not None


def why_no_requirement(text: str) -> str:
    """Return what is wrong, and what to write: half a sentence."""
    if is_several(text):
        return "is more than one project; write one a line"
    said = (why for begins, why in _WHY if re.match(begins, text))
    return next(said, "is not a project name, nor one with versions like example>=1.4,<2")
