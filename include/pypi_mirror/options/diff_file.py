"""The value of ``[mirror] diff-file``: a path, in which bandersnatch has a syntax of its own for references.

``{{ mirror_directory }}`` is the value of ``directory`` in ``[mirror]``. The name of a section has no
underscore, that of an option may.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pypi_mirror.options.parsers import BadValue, parse_path, parse_text

_REFERENCE: Final = re.compile(r"\{\{\s*(?P<section>[^_\s{}]+)\s*_\s*(?P<option>[^\s{}]+)\s*\}\}")


def parse_diff_file(text: str) -> Path | str:
    """Return the path, or the text where it has references."""
    if "{{" not in parse_text(text):
        return parse_path(text)
    if "{{" in _REFERENCE.sub("", text):
        raise BadValue(f"{text!r} has no valid reference; write one like {{{{ mirror_directory }}}}")
    return text


def resolve_diff_file(text: str, value: Callable[[str, str], str | None]) -> Path:
    """Return the path with the references replaced by the ``value`` of a section's option."""

    def replace(found: re.Match[str]) -> str:
        replaced = value(found["section"], found["option"])
        if not replaced:
            raise BadValue(f"{found[0]} refers to [{found['section']}] {found['option']}, which has no value")
        return replaced

    return parse_path(_REFERENCE.sub(replace, text))
