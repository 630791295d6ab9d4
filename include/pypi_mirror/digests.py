"""Digests that an index states: which of them can be checked, and how stated ones are remembered."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

# All that hashlib has on every platform, with the length of a digest in hexadecimal. SHAKE's have no fixed
# length, so that a digest of one byte would "match" many files.
LENGTHS: Final[Mapping[str, int]] = {
    name: 2 * size
    for name in sorted(hashlib.algorithms_guaranteed)
    if (size := hashlib.new(name, usedforsecurity=False).digest_size)
}
_REMEMBERED: Final = 16


def checkable(hashes: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Those of ``hashes``, (algorithm, hexadecimal) pairs, that can be compared with bytes."""
    # A list: this is asked five times a file, and a generator takes twice as long.
    return tuple([pair for pair in hashes if LENGTHS.get(pair[0]) == len(pair[1])])


def hashers(algorithms: Iterable[str]) -> dict[str, Any]:
    """A hashlib object for each."""
    return {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}


def remembered(hashes: Iterable[tuple[str, str]]) -> bytes | None:
    """16 bytes that change with what an index states beside SHA-256; None where that is nothing.

    SHA-256 is remembered as it is, and an index that states it alone, as most do, costs nothing more.
    """
    others = sorted(pair for pair in checkable(hashes) if pair[0] != "sha256")
    if not others:
        return None
    text = "\n".join(f"{name}={digest}" for name, digest in others)
    return hashlib.sha256(text.encode()).digest()[:_REMEMBERED]
