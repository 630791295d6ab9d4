"""What our own page says of its files: upstream may say something else of them by now."""

import os
from pathlib import Path

from packaging.utils import NormalizedName

from pypi_mirror.disk.files import StrPath
from pypi_mirror.errors import MirrorError
from pypi_mirror.model import RemoteFile
from pypi_mirror.pages.formats import HTML_NAME, JSON_NAME
from pypi_mirror.upstream import simple_json

# What relative links of our pages are taken to lead to. Links elsewhere are absolute (``root_uri``).
OUR_SITE = "http://mirror.invalid"


def files_on_our_page(directory: StrPath, project: NormalizedName) -> dict[str, RemoteFile]:
    """The entries of the page of ``project`` that is in ``directory``, by file name; none if damaged."""
    url = f"{OUR_SITE}/simple/{project}/"
    # Of most projects that are new there is none, and making a Path takes longer than to find that out.
    if not os.path.isdir(directory):  # noqa: PTH112
        return {}
    directory = Path(directory)
    try:
        if (json := directory / JSON_NAME).is_file():
            page = simple_json.parse_project_page(
                json.read_bytes(), url=url, project=project, header_serial=None, etag=None
            )
        else:
            from pypi_mirror.upstream import simple_html

            page = simple_html.parse_project_page(
                (directory / HTML_NAME).read_bytes(), url=url, project=project, header_serial=None, etag=None
            )
    except (MirrorError, OSError):
        return {}
    return {file.filename: file for file in page.files}
