"""Values of the engine as JSON: dataclasses by their fields, times in RFC 3339.

Lists are asked for with ``after``, the last key that was seen, and ``limit``.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import Query, Response

from pypi_mirror.observing.paging import MOST

# PostgreSQL has no such text, and would seem to be at fault.
WITHOUT_NUL = r"^[^\x00]*$"

After = Annotated[str | None, Query(max_length=1000, pattern=WITHOUT_NUL)]
Search = Annotated[str, Query(max_length=255, pattern=WITHOUT_NUL)]
Limit = Annotated[int, Query(ge=1, le=MOST)]
DEFAULT_LIMIT = 50


def _encode_other(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no form in JSON")


_ENCODER = msgspec.json.Encoder(enc_hook=_encode_other)


class Json(Response):
    """An answer of any frozen dataclass, list or dict of such."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return _ENCODER.encode(content)
