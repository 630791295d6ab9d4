"""Which mirror a disk belongs to: tree, pool and ledger carry one identity.

A disk that is not mounted is an empty directory. A mirror whose ledger lies elsewhere would publish an empty
tree, or fill the wrong disk. So nothing is written before the three agree.
"""

import uuid
from collections.abc import Callable
from pathlib import Path

from pypi_mirror.disk.files import link_file, remove_file
from pypi_mirror.disk.writing import write_atomically
from pypi_mirror.errors import WrongDisk
from pypi_mirror.settings.values import Settings


def require_own_disk(settings: Settings, ours: str | None, *, has_projects: Callable[[], int]) -> None:
    """Raises WrongDisk unless tree and pool are those that the ledger knows, by its identity ``ours``.

    A ledger without an identity is new, or of an older version: then the disk's is taken over. But a ledger
    that holds files, which ``has_projects`` tells, does not belong to an empty tree.
    """
    found = {path: _read(path) for path in identity_files(settings)}
    if ours is not None:
        for path, value in found.items():
            if value is None:
                raise WrongDisk(path=path, reason="not found: the disk is not mounted, or a different one is")
            if value != ours:
                raise WrongDisk(path=path, reason="belongs to another mirror than the ledger")
        return
    seen = set(found.values()) - {None}
    if len(seen) > 1:
        raise WrongDisk(path=identity_files(settings)[1], reason="belongs to another mirror than the tree")
    simple = settings.web / "simple"
    if not seen and has_projects() and not (simple.is_dir() and any(simple.iterdir())):
        raise WrongDisk(
            path=simple, reason="has no page, but the ledger has projects: the disk may not be mounted"
        )


def mark_disk(settings: Settings) -> str:
    """Give tree and pool one identity, and return it; the disk is known to be the mirror's own."""
    tree, pool = identity_files(settings)
    if (identity := _read(tree)) is None:
        # Two processes may be here at once: the first one's counts.
        draft = tree.with_name(f".tmp-identity-{uuid.uuid4().hex}")
        write_atomically(draft, (_read(pool) or uuid.uuid4().hex).encode() + b"\n", durable=True)
        if not link_file(str(draft), str(tree)):
            write_atomically(tree, draft.read_bytes(), durable=True)
        remove_file(draft)
        identity = tree.read_text().strip()
    if _read(pool) != identity:
        write_atomically(pool, f"{identity}\n".encode(), durable=True)
    return identity


def adopt_disk(settings: Settings, ours: str | None) -> str:
    """A person says that this disk is the mirror's: mark it as such, whatever it was before."""
    identity = ours or uuid.uuid4().hex
    for path in identity_files(settings):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f"{identity}\n".encode(), durable=True)
    return identity


def identity_files(settings: Settings) -> tuple[Path, Path]:
    """Where tree and pool say whose they are."""
    return settings.directory / "state" / "identity", settings.web / "packages" / ".identity"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None
