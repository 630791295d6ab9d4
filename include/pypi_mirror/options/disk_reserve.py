"""``disk-reserve``: how much room a sync leaves free, as a share of the disk or as a size."""

import re
from typing import Final

from msgspec import Struct

from pypi_mirror.options.parsers import BadValue
from pypi_mirror.options.sizes import format_size, parse_size


class DiskReserve(Struct, frozen=True, kw_only=True):
    """Room that a sync leaves free: ``percent`` of each disk's bytes and inodes, or a number of ``bytes``."""

    percent: float = 0.0
    bytes: int = 0


_SHARE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?%")
_MOST: Final = 90.0


def parse_disk_reserve(text: str) -> DiskReserve:
    if (share := _SHARE.fullmatch(text)) is not None:
        if float(share[1]) > _MOST:
            raise BadValue(f"{text!r} is out of range; a share goes from 0% to {_MOST:g}%")
        return DiskReserve(percent=float(share[1]))
    try:
        return DiskReserve(bytes=parse_size(text))
    except BadValue as error:
        raise BadValue(f"{text!r} is neither a share nor a size; write one like 5%, 50GB or 0") from error


def format_disk_reserve(reserve: DiskReserve) -> str:
    if reserve.percent:
        return f"{reserve.percent:.6f}".rstrip("0").rstrip(".") + "%"
    return format_size(reserve.bytes)
