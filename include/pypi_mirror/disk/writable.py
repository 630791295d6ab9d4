"""Whether this user may write where the mirror is, or is going to be; found out without leaving anything."""

import os
from pathlib import Path
from tempfile import TemporaryFile

from pypi_mirror.settings.values import Settings


def why_not_writable(settings: Settings) -> str | None:
    """Why this user cannot make the mirror's directories, or not write there, and what to do; None if all is
    well.
    """
    places = (settings.directory, settings.web, settings.web / "simple", settings.web / "packages")
    return next((trouble for place in places if (trouble := _trouble(place)) is not None), None)


def _trouble(place: Path) -> str | None:
    existing = next(each for each in (place, *place.parents) if os.path.lexists(each))
    verb = "written" if existing == place else "made"
    try:
        if not existing.is_dir():
            raise NotADirectoryError(None, "Not a directory", str(existing))
        # What permissions, read-only file systems and the likes of /proc come to only shows when one tries.
        with TemporaryFile(dir=existing):
            pass
    except OSError as error:
        because = f"{existing}: {error.strerror or error}"
        return f"{place} cannot be {verb} ({because}); choose another, or have this user write there"
    return None
