"""Values of the engine as JSON: dataclasses by their fields, times in RFC 3339."""

from pathlib import Path
from typing import Any

import msgspec
from fastapi import Response


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
