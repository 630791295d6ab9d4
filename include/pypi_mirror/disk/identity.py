"""Which mirror a disk belongs to: tree, pool and ledger carry one identity.

A disk that is not mounted is an empty directory. A mirror whose ledger lies elsewhere would publish an empty
tree, or fill the wrong disk. So nothing is written before the three agree.
"""

import uuid
from pathlib import Path
from typing import Final

from pypi_mirror.disk.files import link_file, remove_file, write_atomically
from pypi_mirror.errors import WrongDisk
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.settings.values import Settings

FACT: Final = "identity"


def require_own_disk(settings: Settings, ledger: Ledger) -> None:
    """Raises WrongDisk unless tree and pool are those that the ledger knows.

    A ledger without an identity is new, or of an older version: then the disk's is taken over. But a ledger
    that holds files does not belong to an empty tree.
    """
    ours = ledger.facts.get(FACT)
    found = {path: _read(path) for path in identity_files(settings)}
    if ours is not None:
        for path, value in found.items():
            if value is None:
                raise WrongDisk(path=path, reason="is missing: the disk is not mounted, or another one is")
            if value != ours:
                raise WrongDisk(path=path, reason="is another mirror's than the ledger's")
        return
    seen = set(found.values()) - {None}
    if len(seen) > 1:
        raise WrongDisk(path=identity_files(settings)[1], reason="is another mirror's than the tree's")
    simple = settings.web / "simple"
    if not seen and ledger.projects.totals().projects and not (simple.is_dir() and any(simple.iterdir())):
        raise WrongDisk(path=simple, reason="has no page, and the ledger has projects: is the disk mounted?")


def mark_disk(settings: Settings, ledger: Ledger) -> None:
    """Give the three one identity, where they have none yet; the disk is known to be the mirror's own."""
    if ledger.facts.get(FACT) is not None:
        return
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
    ledger.facts.put({FACT: identity})


def adopt_disk(settings: Settings, ledger: Ledger) -> None:
    """A person says that this disk is the mirror's: mark it as such, whatever it was before."""
    identity = ledger.facts.get(FACT) or uuid.uuid4().hex
    for path in identity_files(settings):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f"{identity}\n".encode(), durable=True)
    ledger.facts.put({FACT: identity})


def identity_files(settings: Settings) -> tuple[Path, Path]:
    """Where tree and pool say whose they are."""
    return settings.directory / "state" / "identity", settings.web / "packages" / ".identity"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None
