"""What lists are asked with: ``after``, the last key that was seen, and ``limit``."""

from typing import Annotated

from fastapi import Query

from pypi_mirror.observing.paging import MOST

After = Annotated[str | None, Query(max_length=1000)]
Limit = Annotated[int, Query(ge=1, le=MOST)]
DEFAULT_LIMIT = 50
