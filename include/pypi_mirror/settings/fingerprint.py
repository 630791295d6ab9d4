"""A short name for what the settings select, to notice that it changed since the last run."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from pypi_mirror.settings.values import Settings


def selection_fingerprint(settings: Settings) -> str:
    """16 hexadecimal digits over all that decides which files are kept and how pages look.

    Equal settings give equal fingerprints in every process, on every host and whatever the order of lists
    in the file. A change means that every project has to be looked at again.
    """
    decisive: dict[str, Any] = {
        "selection": asdict(settings.selection),
        "hash-index": settings.hash_index,
        "simple-format": settings.simple_format,
        "json": settings.json,
        "release-files": settings.release_files,
        "core-metadata": settings.core_metadata,
        "root_uri": settings.root_uri,
    }
    for name in ("blocked_platforms", "environments", "allowed_releases", "blocked_releases"):
        items = decisive["selection"][name]
        decisive["selection"][name] = sorted(json.dumps(item, sort_keys=True) for item in items)
    text = json.dumps(decisive, sort_keys=True, default=sorted)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
