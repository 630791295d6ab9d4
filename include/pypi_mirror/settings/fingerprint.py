"""A short name for what the settings select, to notice that it changed since the last run."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from pypi_mirror.settings.values import Settings


def selection_fingerprint(settings: Settings) -> str:
    """16 hexadecimal digits over all that decides which projects and files are mirrored and how pages look.

    Equal settings give equal fingerprints in every process, on every host and whatever the order of lists
    in the file. A change means that upstream's list of projects has to be looked at again.
    """
    projects = {
        "allowed": sorted(settings.selection.allowed_projects),
        "blocked": sorted(settings.selection.blocked_projects),
    }
    return _digest([page_fingerprint(settings), projects])


def page_fingerprint(settings: Settings) -> str:
    """Like ``selection_fingerprint``, over what decides a selected project's files and the look of its page.

    A page that was decided under another one has to be decided again.
    """
    decisive = asdict(settings.selection)
    for name in ("blocked_platforms", "environments", "allowed_releases", "blocked_releases"):
        decisive[name] = sorted(json.dumps(item, sort_keys=True) for item in decisive[name])
    for name in ("allowed_projects", "blocked_projects"):
        del decisive[name]
    return _digest([decisive, rendering_fingerprint(settings)])


def rendering_fingerprint(settings: Settings) -> str:
    """Like ``page_fingerprint``, over the look of pages alone: one that was made under another one is made
    again, whatever is decided.
    """
    return _digest(
        {
            "hash-index": settings.hash_index,
            "simple-format": settings.simple_format,
            "json": settings.json,
            "release-files": settings.release_files,
            "core-metadata": settings.core_metadata,
            "root_uri": settings.root_uri,
            # Provenance links are absolute (PEP 740), so pages change with the site's address.
            "public-url": settings.site.public_url,
        }
    )


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=sorted)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
