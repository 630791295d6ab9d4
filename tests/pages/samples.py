"""Pages to render: one that uses all the format has, and single files."""

import hashlib
from typing import Any

from hypothesis import strategies as st
from packaging.utils import NormalizedName

from pypi_mirror.model import MirroredPage, PooledFile, ProjectStatus, RemoteFile

# Any character that UTF-8 can carry (upstream's parser lets no other through), and often one that is markup.
characters = st.sampled_from("<>&\"';=#%") | st.characters(exclude_categories=["Cs"])
texts = st.text(characters, max_size=30)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def pooled(
    filename: str,
    *,
    metadata: bool = False,
    provenance: bool = False,
    other_hashes: tuple[tuple[str, str], ...] = (),
    **remote: Any,
) -> PooledFile:
    """A file of the pool with digests made up from its name; ``remote`` is what upstream announced."""
    sha256, place = digest(filename), digest("place of " + filename)
    path = f"packages/{place[:2]}/{place[2:4]}/{place[4:]}/{filename}"
    return PooledFile(
        remote=RemoteFile(
            filename=filename,
            url=f"https://files.example/{path}",
            hashes=(("sha256", sha256), *other_hashes),
            size=1000 + len(filename),
            **remote,
        ),
        path=path,
        size=1000 + len(filename),
        sha256=sha256,
        metadata_sha256=digest("metadata of " + filename) if metadata else None,
        provenance_sha256="f" * 64 if provenance else None,
    )


def page(
    *files: PooledFile,
    name: str = "foo-bar",
    serial: int | None = 39,
    status: ProjectStatus | None = None,
    versions: tuple[str, ...] = ("1.0",),
) -> MirroredPage:
    return MirroredPage(
        name=NormalizedName(name),
        serial=serial,
        status=ProjectStatus() if status is None else status,
        versions=versions,
        files=files,
    )


EVERYTHING = page(
    pooled(
        "foo_bar-1.0-py3-none-any.whl",
        metadata=True,
        provenance=True,
        upload_time="2026-11-22T10:44:12.172437Z",
        requires_python=">=3.8,<4",
        gpg_sig=False,
    ),
    pooled("foo_bar-1.0.tar.gz", requires_python="", yanked="", upload_time="2026-11-22T10:44:13Z"),
    pooled(
        "foo_bar-1!2.0+local.1-py3-none-any.whl",
        metadata=True,
        yanked="""it's "broken" <b>&amp; häßlich</b> 😀""",
        other_hashes=(("blake2b", "b" * 128), ("md5", "d" * 32)),
        gpg_sig=True,
    ),
    pooled("""foo <b>'bar'&amp; "baz" 100%.zip"""),
    status=ProjectStatus(status="deprecated", reason='use <a href="x">baz</a> & be happy'),
    versions=("1.0", "1!2.0+local.1"),
)
