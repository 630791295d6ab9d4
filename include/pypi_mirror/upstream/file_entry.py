"""A file as upstream's page names it, read tolerantly: an invalid value costs itself, an unsafe one its file.

Shared by the JSON and the HTML of the simple API. A value without which the file is still the right one, and
verified, is dropped: size, times, reasons, sidecars, a digest that is empty or of an algorithm nobody checks.
Name, address and the digests that are checked are what a file is known by; where one of them is wrong, the
file is left out.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pypi_mirror.digests import LENGTHS
from pypi_mirror.errors import FileRefused, UpstreamError
from pypi_mirror.model import Extra, Refused, RemoteFile
from pypi_mirror.upstream.checks import (
    ILLEGIBLE,
    MAX_SIZE,
    MAX_TEXT,
    checked_address,
    checked_filename,
    checked_hashes,
    checked_upload_time,
    shown,
)

# Told a key and why its value is dropped.
Drop = Callable[[str, str], None]

# A time as other programs write it: with a space, a zone without colon or none at all, too many digits.
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)? ?([Zz]|UTC|GMT|[+-]\d\d:?\d\d)?", re.ASCII
)


def read_file(
    said: Mapping[str, Any], extra: Extra, refused: list[Refused], *, base: str
) -> RemoteFile | None:
    """The file that ``said`` describes by PEP 691's keys, on the page at ``base``; None where it is refused.

    What is left out is added to ``refused``.
    """
    name = said.get("filename")
    called = printable(name) if isinstance(name, str) else "a file without a name"
    dropped: list[Refused] = []

    def drop(field: str, reason: str) -> None:
        dropped.append(Refused(filename=called, field=field, reason=reason))

    try:
        file = _read(said, extra, drop, base)
    except UpstreamError as error:
        refused.append(Refused(filename=called, field=None, reason=error.message))
        return None
    refused += dropped
    return file


def _read(said: Mapping[str, Any], extra: Extra, drop: Drop, base: str) -> RemoteFile:
    filename, address = said.get("filename"), said.get("url")
    if not isinstance(filename, str):
        raise FileRefused(f"{kind_of(filename)} is not a valid file name", url=base)
    if not isinstance(address, str):
        raise FileRefused(f"{kind_of(address)} is not a valid address", url=base)
    return RemoteFile(
        filename=checked_filename(filename, url=base),
        url=checked_address(address.partition("#")[0], base=base),
        hashes=_hashes(said.get("hashes"), drop, base),
        size=_size(said.get("size"), drop, base),
        upload_time=_upload_time(said.get("upload-time"), drop),
        requires_python=_text("requires-python", said.get("requires-python"), drop),
        yanked=_yanked(said.get("yanked"), drop),
        core_metadata=_core_metadata(said, drop, base),
        provenance=_provenance(said.get("provenance"), drop, base),
        gpg_sig=_flag("gpg-sig", said.get("gpg-sig"), drop),
        extra=extra,
    )


def unique_files(files: Iterable[RemoteFile], refused: list[Refused]) -> tuple[RemoteFile, ...]:
    """``files``, each once; those of a name that the page lists in two ways are left out and ``refused``."""
    every = tuple(files)
    seen = {file.filename: file for file in every}
    if len(seen) == len(every):
        return every
    distinct = dict.fromkeys(every)
    times = Counter(file.filename for file in distinct)
    for filename, number in times.items():
        if number > 1:
            reason = "the page lists it more than once, with different data"
            refused.append(Refused(filename=filename, field=None, reason=reason))
    return tuple(file for file in distinct if times[file.filename] == 1)


def printable(text: str) -> str:
    """A name from upstream for people: as it is where that is harmless, otherwise quoted and cut."""
    return text if text and text.isprintable() and len(text) <= 255 else shown(text)


def clean_text(field: str, text: str, drop: Drop) -> str:
    """``text`` for people, cut to the most characters that a page carries, each of them legible."""
    if len(text) > MAX_TEXT:
        drop(field, f"a text of {len(text):,} characters is cut to {MAX_TEXT:,}")
        text = text[:MAX_TEXT]
    if ILLEGIBLE in text:
        drop(
            field,
            f"{kind_of(text)} has half a surrogate pair, which is not a valid character; it is replaced",
        )
        text = text.replace(ILLEGIBLE, "\N{REPLACEMENT CHARACTER}")
    return text


def _hashes(value: object, drop: Drop, base: str) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise FileRefused(f"its hashes are {kind_of(value)}", url=base)
    checked: dict[str, str] = {}
    for name, digest in value.items():
        field, algorithm = f"hashes.{printable(name)}", name.lower()
        if digest is None or digest == "":
            drop(field, "the digest is empty")
            continue
        try:
            if not isinstance(digest, str):
                raise FileRefused(f"{kind_of(digest)} is not a valid {shown(name, 20)} digest", url=base)
            ((algorithm, lowered),) = checked_hashes({algorithm: digest}, url=base)
        except FileRefused as error:
            if algorithm in LENGTHS:
                raise
            drop(field, error.message)
            continue
        if checked.setdefault(algorithm, lowered) != lowered:
            raise FileRefused(f"it has two {algorithm} digests", url=base)
    return tuple(checked.items())


def _size(value: object, drop: Drop, base: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        drop("size", f"{kind_of(value)} is not a valid number of bytes")
        return None
    if value > MAX_SIZE:
        raise FileRefused("more bytes are announced than any file has", url=base)
    return value


def _upload_time(value: object, drop: Drop) -> str | None:
    if value is None or value == "":
        return None
    time = read_time(value) if isinstance(value, str) else None
    if time is None:
        drop("upload-time", f"{kind_of(value)} is not a valid time (RFC 3339)")
    return time


def read_time(text: str) -> str | None:
    """``text`` as PEP 700 wants it: as it is where it is right, in UTC where it can be understood, else None.

    A time without a zone is taken for UTC, as PEP 700 requires it to be.
    """
    try:
        return checked_upload_time(text, url="")
    except UpstreamError:
        pass
    if (match := _TIME.fullmatch(text)) is None:
        return None
    day, time, fraction, zone = match.groups(default="")
    zone = "+00:00" if zone.upper() in ("", "Z", "UTC", "GMT") else f"{zone[:3]}:{zone[-2:]}"
    try:
        moment = datetime.fromisoformat(f"{day}T{time}{fraction[:7]}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return f"{moment.replace(tzinfo=None).isoformat()}Z"


def _yanked(value: object, drop: Drop) -> str | None:
    # PEP 592: true is "yanked without a reason", a string is the reason.
    if isinstance(value, str):
        return clean_text("yanked", value, drop)
    if value is not None and not isinstance(value, bool):
        # What may be meant to be yanked must not be offered as if it were not.
        drop("yanked", f"{kind_of(value)} is not a valid reason; the file is {'' if value else 'not '}yanked")
    return "" if value else None


def _core_metadata(said: Mapping[str, Any], drop: Drop, base: str) -> tuple[tuple[str, str], ...] | None:
    # PEP 714: `core-metadata` decides where it is present, the misnamed older key where it is not.
    field = "core-metadata" if said.get("core-metadata") is not None else "data-dist-info-metadata"
    value = said.get(field)
    if value is None or isinstance(value, bool):
        return () if value else None
    try:
        if not isinstance(value, Mapping) or not all(isinstance(digest, str) for digest in value.values()):
            raise FileRefused(f"{kind_of(value)} is not a valid digest of the metadata", url=base)
        return checked_hashes(value, url=base)
    except FileRefused as error:
        # Clients have no way around metadata that does not fit, but do without.
        drop(field, error.message)
        return None


def _provenance(value: object, drop: Drop, base: str) -> str | None:
    if value is None or value == "":
        return None
    try:
        if not isinstance(value, str):
            raise FileRefused(f"{kind_of(value)} is not a valid address", url=base)
        return checked_address(value, base=base)
    except FileRefused as error:
        drop("provenance", error.message)
        return None


def _text(field: str, value: object, drop: Drop) -> str | None:
    if not isinstance(value, str):
        if value is not None:
            drop(field, f"{kind_of(value)} is not a string")
        return None
    if is_usable(value):
        return value
    drop(field, f"{kind_of(value)} is too long, or has half a surrogate pair")
    return None


def is_usable(text: str) -> bool:
    """Whether programs can go by ``text``: it is legible and no longer than anybody needs."""
    return len(text) <= MAX_TEXT and ILLEGIBLE not in text


def _flag(field: str, value: object, drop: Drop) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    drop(field, f"{kind_of(value)} is neither true nor false")
    return None


def kind_of(value: object) -> str:
    """``value`` for a message: itself where it is short."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        return shown(value)
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)[:40]
    return "a value that cannot be read"
