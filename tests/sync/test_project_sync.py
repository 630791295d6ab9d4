"""What of upstream's page is left on ours."""

from packaging.utils import NormalizedName

from pypi_mirror.filters import build_selector
from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.settings.values import Selection
from pypi_mirror.sync.project_sync import _versions_left

_NAME = NormalizedName("foo")


def _left(versions: tuple[str, ...], *filenames: str) -> tuple[str, ...]:
    """The versions of a page with these files, without those for Windows."""
    page = ProjectPage(
        name=_NAME,
        serial=1,
        etag=None,
        versions=versions,
        files=tuple(RemoteFile(filename=name, url=f"https://files.example/{name}") for name in filenames),
    )
    return _versions_left(page, build_selector(Selection(exclude_filename="win32")).decide(page))


def test_a_version_goes_with_the_last_of_its_files() -> None:
    files = ("foo-1.0-py3-none-any.whl", "foo-1.0-cp311-cp311-win32.whl", "foo-2.0-cp311-cp311-win32.whl")
    assert _left(("1.0", "2.0", "3.0"), *files) == ("1.0", "3.0"), "3.0 has no files upstream either"


def test_versions_are_compared_as_pep_440_does() -> None:
    assert _left(("1.0.0", "2"), "foo-2.0-cp311-cp311-win32.whl") == ("1.0.0",)


def test_what_is_no_version_is_carried_on() -> None:
    odd = ("", "dev", "1" * 5000, "\N{SNAKE}")
    assert _left((*odd, "2.0"), "foo-2.0-cp311-cp311-win32.whl") == odd
