"""A file of the pool against its row: is it there, whole, and what the row says; and what is beside it."""

import os
import stat
from dataclasses import dataclass, field

from packaging.utils import NormalizedName

from pypi_mirror.audit.findings import Finding, Kind
from pypi_mirror.audit.reading import hash_once, require_theirs
from pypi_mirror.ledger.projects import KnownFile


@dataclass(slots=True, kw_only=True)
class FileCheck:
    """What a look at one file found.

    ``damaged`` are paths (relative to ``web/``) of what lies there and is wrong: it has to go before the file
    can be made again. ``is_wrong`` says that the file itself is not there as it should be, so no page may
    list it; ``row_is_wrong`` that the disk agrees with the page and the row does not. ``digest`` is the
    SHA-256 of what lies there, where it was read.
    """

    findings: list[Finding] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    bytes_read: int = 0
    digest: bytes | None = None
    is_wrong: bool = False
    row_is_wrong: bool = False


def look_at_file(
    web: str, file: KnownFile, project: NormalizedName, *, on_page: str | None, hashing: bool = True
) -> FileCheck:
    """Compare the disk with a row; ``on_page`` is the SHA-256 that our page lists, None where it lists none.

    Without ``hashing`` only what the directory tells is compared. Raises OSError when this process, and not
    the file, is at fault.
    """
    check = FileCheck()
    _look_at_content(check, web, file, project, on_page, hashing=hashing)
    for suffix, kind, listed, digest in (
        (".metadata", Kind.METADATA, file.metadata_sha256 is not None, file.metadata_sha256),
        (".provenance", Kind.PROVENANCE, file.provenance, file.provenance_sha256),
    ):
        if listed:
            _look_at_sidecar(check, web, f"{file.path}{suffix}", kind, project, digest, hashing=hashing)
    if file.removed_at is not None:
        check.findings = [
            Finding(kind=Kind.TOMBSTONE, path=f.path, project=project, detail=f"{f.kind}; {f.detail}")
            for f in check.findings
        ]
    return check


def _look_at_content(
    check: FileCheck,
    web: str,
    file: KnownFile,
    project: NormalizedName,
    on_page: str | None,
    *,
    hashing: bool,
) -> None:
    path = file.path

    def found(kind: Kind, detail: str) -> None:
        check.findings.append(Finding(kind=kind, path=f"web/{path}", project=project, detail=detail))
        check.is_wrong = not check.row_is_wrong

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
    check.digest = bytes.fromhex(sha256)
    wanted = file.sha256.hex()
    if (size, sha256) == (file.size, wanted):
        return
    check.row_is_wrong = sha256 == on_page
    if check.row_is_wrong:
        found(Kind.ROW, f"the row says SHA-256 {wanted} and {file.size} bytes, disk and page another")
        return
    check.damaged.append(path)
    if size != file.size:
        found(Kind.SIZE, f"{size} bytes instead of {file.size}")
    else:
        found(Kind.CORRUPT, f"SHA-256 is {sha256} instead of {wanted}")


def _look_at_sidecar(
    check: FileCheck,
    web: str,
    path: str,
    kind: Kind,
    project: NormalizedName,
    digest: bytes | None,
    *,
    hashing: bool,
) -> None:
    def found(detail: str) -> None:
        check.findings.append(Finding(kind=kind, path=f"web/{path}", project=project, detail=detail))

    try:
        if not hashing:
            os.stat(f"{web}/{path}", follow_symlinks=False)  # noqa: PTH116
            return
        size, sha256 = hash_once(f"{web}/{path}")
    except (FileNotFoundError, NotADirectoryError):
        found("missing")
        return
    except OSError as error:
        require_theirs(error)
        check.damaged.append(path)
        found(error.strerror or str(error))
        return
    check.bytes_read += size
    # Where nobody noted a digest, all that can be told is that there is something.
    if size == 0 or (digest is not None and sha256 != digest.hex()):
        check.damaged.append(path)
        found(f"{size} bytes, SHA-256 {sha256}")
