"""What lists are asked with: ``after``, the last key that was seen, and ``limit``."""

from typing import Annotated

from fastapi import Query

from pypi_mirror.observing.paging import MOST

# PostgreSQL has no such text, and would seem to be at fault.
WITHOUT_NUL = r"^[^\x00]*$"

After = Annotated[str | None, Query(max_length=1000, pattern=WITHOUT_NUL)]
Limit = Annotated[int, Query(ge=1, le=MOST)]
DEFAULT_LIMIT = 50
