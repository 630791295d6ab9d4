"""A file of the pool against its row: is it there, whole, and what the row says; and what is beside it."""

import errno
import hashlib
import os
import stat
from typing import Final

from msgspec.structs import replace

from pypi_mirror.audit.findings import Kind, ProjectCheck
from pypi_mirror.ledger.projects import KnownFile

_BLOCK: Final = 1 << 20
# This process is at fault, not the file.
_OURS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


def hash_once(path: str) -> tuple[int, str]:
    """Size and SHA-256 of the file at ``path``, as many bytes as were read. Raises OSError.

    The kernel is told that the bytes are read in order and not needed again: an audit reads the whole pool,
    and what clients ask for should stay in memory. One thread: SHA-256 takes 0.7 ms of CPU a megabyte, which
    is faster than nearly every disk, and two readers make a spinning disk seek.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        digest = hashlib.sha256()
        size = 0
        while block := os.read(descriptor, _BLOCK):
            digest.update(block)
            size += len(block)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    return size, digest.hexdigest()


def require_theirs(error: OSError) -> None:
    """Raise ``error`` again when this process, and not the file, is at fault: that is no finding."""
    if error.errno in _OURS:
        raise error


def content_of(path: str) -> bytes | None:
    """What the small file at ``path`` holds, None where there is none; a symbolic link is none."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) or is_link(path):
            return None
        raise
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def is_link(path: str) -> bool:
    return os.path.islink(path)  # noqa: PTH114


def look_at_file(check: ProjectCheck, web: str, file: KnownFile, *, hashing: bool = True) -> None:
    """Compare the disk with a row of the project, and note in its ``check`` what is wrong.

    Without ``hashing`` only what the directory tells is compared. Raises OSError when this process, and not
    the file, is at fault.
    """
    before = len(check.findings)
    _look_at_content(check, web, file, hashing=hashing)
    for suffix, kind, listed, digest in (
        (".metadata", Kind.METADATA, file.metadata_sha256 is not None, file.metadata_sha256),
        (".provenance", Kind.PROVENANCE, file.provenance, file.provenance_sha256),
    ):
        if listed:
            _look_at_sidecar(check, web, f"{file.path}{suffix}", kind, digest, hashing=hashing)
    found = check.findings[before:]
    if not found:
        if hashing:
            check.verified.append(file.filename)
    elif file.removed_at is None:
        check.needs_upstream = True
    else:
        check.dead_tombstones.append(file.filename)
        check.findings[before:] = [
            replace(each, kind=Kind.TOMBSTONE, detail=f"{each.kind}; {each.detail}") for each in found
        ]


def _look_at_content(check: ProjectCheck, web: str, file: KnownFile, *, hashing: bool) -> None:
    path, is_listed = file.path, file.removed_at is None

    def found(kind: Kind, detail: str, digest: bytes | None = None) -> None:
        check.add(kind, f"web/{path}", detail)
        check.wrong_files |= {file.filename: (path, digest)} if is_listed else {}

    try:
        seen = os.stat(f"{web}/{path}", follow_symlinks=False)  # noqa: PTH116 - millions of files, see disk
        if not stat.S_ISREG(seen.st_mode):
            found(Kind.MISSING, "what lies there is no file")
            return
        if seen.st_size == file.size and not hashing:
            return
        size, sha256 = hash_once(f"{web}/{path}")
    except (FileNotFoundError, NotADirectoryError):
        found(Kind.MISSING, f"{file.size} bytes")
        return
    except OSError as error:
        require_theirs(error)
        check.damaged.append(path)
        found(Kind.UNREADABLE, error.strerror or str(error))
        return
    check.bytes_read += size
    wanted = file.sha256.hex()
    if (size, sha256) == (file.size, wanted):
        return
    if sha256 == check.listed.get(file.filename):
        detail = f"the row says SHA-256 {wanted} and {file.size} bytes, disk and page another"
        check.add(Kind.ROW, f"web/{path}", detail)
        if is_listed:
            check.wrong_rows.add(file.filename)
        return
    check.damaged.append(path)
    fault = (Kind.CORRUPT, f"SHA-256 is {sha256} instead of {wanted}")
    if size != file.size:
        fault = (Kind.SIZE, f"{size} bytes instead of {file.size}")
    found(*fault, bytes.fromhex(sha256))


def _look_at_sidecar(
    check: ProjectCheck, web: str, path: str, kind: Kind, digest: bytes | None, *, hashing: bool
) -> None:
    try:
        if not hashing:
            os.stat(f"{web}/{path}", follow_symlinks=False)  # noqa: PTH116
            return
        size, sha256 = hash_once(f"{web}/{path}")
    except (FileNotFoundError, NotADirectoryError):
        check.add(kind, f"web/{path}", "missing")
        return
    except OSError as error:
        require_theirs(error)
        check.damaged.append(path)
        check.add(kind, f"web/{path}", error.strerror or str(error))
        return
    check.bytes_read += size
    # Where nobody noted a digest, all that can be told is that there is something.
    if size == 0 or (digest is not None and sha256 != digest.hex()):
        check.damaged.append(path)
        check.add(kind, f"web/{path}", f"{size} bytes, SHA-256 {sha256}")
