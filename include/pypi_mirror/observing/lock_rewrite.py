"""A lock file with the mirror's addresses in place of those of the index that it was made with.

What the mirror serves is what its pages say, so neither ledger nor network is needed: this works beside a
copied tree, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.demands import BadDemands, Demands, read_demands
from pypi_mirror.demands.lock_addresses import LockAddresses, LockedFile, lock_addresses, with_addresses
from pypi_mirror.errors import MirrorError
from pypi_mirror.fetching.our_page import OUR_SITE, files_on_our_page
from pypi_mirror.mirror import page_store
from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.policy import Context, Policy
from pypi_mirror.policy.filter import Stage
from pypi_mirror.settings.requirements import other_indexes, with_requirements
from pypi_mirror.settings.values import Settings
from pypi_mirror.wording import count


class LeftAlone(Struct, frozen=True, kw_only=True):
    """Something in the lock file that keeps its address, and why, as half a sentence.

    ``setting`` is the filter that leaves the file out, None where it is something else.
    """

    what: str
    reason: str
    setting: str | None = None


class Rewritten(Struct, frozen=True, kw_only=True):
    """``text`` is the new one; ``indexes`` and ``files`` count the addresses that changed, ``named`` the
    files that the mirror has and that the lock names without an address.
    """

    text: str
    indexes: int
    files: int
    named: int
    left_alone: tuple[LeftAlone, ...]


class NotServed(MirrorError):
    """The mirror lacks files that a lock names; each of ``missing`` says which, and why."""

    def __init__(self, path: Path, missing: Sequence[LeftAlone]) -> None:
        lines = "".join(f"\n  {each.what}: {each.reason}" for each in missing)
        super().__init__(
            f"{path} is unchanged: the mirror does not serve {count(len(missing), 'file')} of it{lines}\n"
            "Name the lock file in [allowlist] requirements and run `pypi-mirror sync`, or lock again"
        )
        self.path = path
        self.missing = tuple(missing)


def rewrite_lock(settings: Settings, path: Path) -> Rewritten:
    """Return the lock file at ``path`` with the addresses of the mirror that ``settings`` describe.

    A file that the mirror serves leads to its place there. One that a filter of files leaves out, such as
    that of another platform, keeps its address. Raises NotServed for any other, and MirrorError for a file
    that is no lock file.
    """
    settings = with_requirements(settings)
    text, demands, addresses = _read(path)
    others = other_indexes(demands.demands, settings.master, settings.site.public_url)
    pages = page_store(settings)
    site = settings.site.public_url.rstrip("/")
    # As clients write it whose index is the mirror: Poetry leaves the slash off, others keep it.
    root = f"{site}/simple" if path.name.endswith("poetry.lock") else f"{site}/simple/"
    new = {index: root for index in addresses.indexes if index not in others}
    left_alone = [LeftAlone(what=each.text, reason=each.reason) for each in demands.unserved]
    left_alone += [LeftAlone(what=index, reason="it is not [mirror] master") for index in others.values()]
    missing: list[LeftAlone] = []
    named = 0
    ours = (file for file in addresses.files if file.index not in others)
    by_project = sorted(ours, key=lambda file: file.project)
    for project, files in groupby(by_project, key=lambda file: file.project):
        of_project = list(files)
        served = _Served(files_on_our_page(pages.path_of(project), project))
        absent = []
        for file in of_project:
            address = served.address_of(file, site)
            if address is None:
                absent.append(file)
            elif file.url is not None:
                new[file.url] = address
            else:
                named += 1
        if len(absent) < len(of_project):
            # A digest alone does not say which platform its file is for: one that is served has to do.
            absent = [file for file in absent if file.filename is not None]
        for each in _reasons(settings.policy, project, absent, of_project):
            (missing if each.setting is None else left_alone).append(each)
    if missing:
        raise NotServed(path, missing)
    try:
        rewritten = with_addresses(path.name, text, new)
    except BadDemands as error:
        raise MirrorError(str(error)) from error
    return Rewritten(
        text=rewritten,
        indexes=sum(new.get(index, index) != index for index in addresses.indexes),
        files=sum(new.get(file.url or "", file.url) != file.url for file in addresses.files),
        named=named,
        left_alone=tuple(left_alone),
    )


def _read(path: Path) -> tuple[str, Demands, LockAddresses]:
    """The text of the lock file, what it asks for, and its addresses."""
    try:
        demands = read_demands(path)
        text = path.read_bytes().decode()
        addresses = lock_addresses(path.name, text)
    except BadDemands as error:
        raise MirrorError(str(error)) from error
    except UnicodeDecodeError as error:
        raise MirrorError(f"{path} is not UTF-8 text; lock again") from error
    if addresses is None:
        raise MirrorError(
            f"{path} is no lock file whose addresses can be changed; clients find the index of a "
            "requirements.txt in pip.conf"
        )
    return text, demands, addresses


class _Served:
    """The files of our page of a project, by name and by digest."""

    def __init__(self, page: Mapping[str, RemoteFile]) -> None:
        self._by_name = page
        self._by_digest = {file.sha256: file for file in page.values()}

    def address_of(self, file: LockedFile, site: str) -> str | None:
        """Where clients of ``site`` find the file; one of its name with other bytes is another file."""
        found = self._by_name.get(file.filename or "")
        if file.sha256 is not None and (found is None or found.sha256 != file.sha256):
            found = self._by_digest.get(file.sha256)
        if found is None:
            return None
        return site + found.url.removeprefix(OUR_SITE) if found.url.startswith(OUR_SITE) else found.url


def _reasons(
    policy: Policy, project: NormalizedName, absent: Sequence[LockedFile], files: Sequence[LockedFile]
) -> Iterator[LeftAlone]:
    """Why each of the ``absent`` is not served, and which filter of files leaves it out.

    Decided as of a page that has the lock's ``files`` alone.
    """
    if not absent:
        return
    page = ProjectPage(
        name=project,
        serial=None,
        etag=None,
        files=tuple(
            RemoteFile(
                filename=file.filename,
                url=file.url or "",
                hashes=() if file.sha256 is None else (("sha256", file.sha256),),
            )
            for file in files
            if file.filename is not None
        ),
    )
    rejected = policy.rejection_reason(project)
    of_releases = Policy(*(each for each in policy.filters if each.stage is Stage.RELEASES)).refusals(page)
    # What waits is not left out; whether it does, a page does not say.
    of_files = policy.refusals(page, Context(listed=frozenset(file.filename for file in page.files)))
    for file in absent:
        name, what = file.filename or "", file.url or f"{project}: {file.name}"
        if rejected is not None:
            yield LeftAlone(what=what, reason=rejected)
        elif name in of_releases:
            yield LeftAlone(what=what, reason=of_releases[name][0].reason)
        elif name in of_files:
            first = of_files[name][0]
            yield LeftAlone(what=what, reason=first.reason, setting=first.setting)
        else:
            yield LeftAlone(what=what, reason="no page of the mirror lists it")
