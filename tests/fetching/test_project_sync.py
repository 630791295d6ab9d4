"""What of upstream's page is left on ours, and how many of its files are under way at once."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from packaging.utils import NormalizedName

from pypi_mirror.fetching.deciding import Before
from pypi_mirror.fetching.project_sync import ProjectSync, _versions_left
from pypi_mirror.model import ProjectPage, RemoteFile
from tests.policies import policy

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
    return _versions_left(page, policy(exclude_filename="win32").decide(page))


def test_a_version_goes_with_the_last_of_its_files() -> None:
    files = ("foo-1.0-py3-none-any.whl", "foo-1.0-cp311-cp311-win32.whl", "foo-2.0-cp311-cp311-win32.whl")
    assert _left(("1.0", "2.0", "3.0"), *files) == ("1.0", "3.0"), "3.0 has no files upstream either"


def test_versions_are_compared_as_pep_440_does() -> None:
    assert _left(("1.0.0", "2"), "foo-2.0-cp311-cp311-win32.whl") == ("1.0.0",)


def test_what_is_no_version_is_carried_on() -> None:
    odd = ("", "dev", "1" * 5000, "\N{SNAKE}")
    assert _left((*odd, "2.0"), "foo-2.0-cp311-cp311-win32.whl") == odd


class CountingPool:
    """Hands back what it is asked for; ``most_at_once`` of them were under way at one time."""

    def __init__(self) -> None:
        self.most_at_once = 0
        self._at_once = 0

    async def acquire(
        self, _project: str, file: RemoteFile, _known: object, *, verify: bool, past: bytes | None
    ) -> Any:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        # Some end before others that began earlier.
        for _ in range(3 + int(file.url.rpartition("/")[2]) % 5):
            await asyncio.sleep(0)
        self._at_once -= 1
        return SimpleNamespace(file=file, trouble=None)


def _acquired(number: int) -> tuple[list[RemoteFile], list[Any], int]:
    pool = CountingPool()
    files = [RemoteFile(filename=f"foo-{n}.tar.gz", url=f"https://files.example/{n}") for n in range(number)]
    nothing = cast("Any", SimpleNamespace())
    sync = ProjectSync(
        web=nothing,
        upstream=nothing,
        reader=nothing,
        decider=nothing,
        pool=cast("Any", pool),
        held_pool=None,
        pages=nothing,
        fingerprint="",
        legacy_json=False,
    )
    before = Before(project=None, files={})
    had, failed = asyncio.run(sync._acquire(NormalizedName("foo"), files, before, verify=False))
    assert failed == []
    return files, [each.file for each in had], pool.most_at_once


def test_the_files_of_a_project_are_under_way_together_as_far_as_requests_can_be() -> None:
    files, acquired, most = _acquired(1_000)
    assert acquired == files, "in the page's order, whichever came first"
    assert most == 256
    assert _acquired(7)[2] == 7
    assert _acquired(0)[1] == []
