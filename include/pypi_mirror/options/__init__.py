"""Options: what one line of ``mirror.conf`` is, and how its text becomes a value.

A leaf: filters (``policy``) and settings declare theirs with :func:`option`, each once, as the field of a
dataclass. Reading the file, its template, the reference page and the fingerprints come from the declarations.
"""

from pypi_mirror.options.option import Option, Section, declare, option, options_of
from pypi_mirror.options.parsers import BadValue

__all__ = ["BadValue", "Option", "Section", "declare", "option", "options_of"]
