"""What the catalogue keeps of a page is the page, in few bytes."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.catalogue import decode_page, encode_page
from pypi_mirror.model import ProjectPage, ProjectStatus, Refused, RemoteFile

NAME = NormalizedName("alpha")
TEXT = st.text(max_size=30)
SHA256 = st.binary(min_size=32, max_size=32).map(bytes.hex)
DIGESTS = st.dictionaries(st.sampled_from(["md5", "sha512", "blake2b", "sha256"]), SHA256, max_size=3).map(
    lambda digests: tuple(digests.items())
)
PLACES = SHA256.map(
    lambda digest: f"https://files.index.example/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/"
)

EXTRA = st.dictionaries(TEXT, st.binary(max_size=20), max_size=2).map(lambda keys: tuple(keys.items()))
REFUSED = st.builds(
    Refused, filename=st.one_of(st.none(), TEXT), field=st.one_of(st.none(), TEXT), reason=TEXT
)


@st.composite
def files(draw: st.DrawFn) -> RemoteFile:
    filename = draw(st.text(min_size=1, max_size=20))
    base = draw(st.one_of(PLACES, st.just("http://127.0.0.1:8082/whl/cu1/"), TEXT))
    return RemoteFile(
        filename=filename,
        url=base + draw(st.one_of(st.just(filename), TEXT)),
        hashes=draw(st.one_of(SHA256.map(lambda digest: (("sha256", digest),)), DIGESTS)),
        size=draw(st.one_of(st.none(), st.integers(0, 2**40))),
        upload_time=draw(st.one_of(st.none(), TEXT)),
        requires_python=draw(st.one_of(st.none(), TEXT)),
        yanked=draw(st.one_of(st.none(), TEXT)),
        core_metadata=draw(st.one_of(st.none(), DIGESTS)),
        provenance=draw(st.one_of(st.none(), TEXT)),
        gpg_sig=draw(st.one_of(st.none(), st.booleans())),
        extra=draw(EXTRA),
    )


@st.composite
def pages(draw: st.DrawFn) -> ProjectPage:
    return ProjectPage(
        name=NAME,
        serial=draw(st.one_of(st.none(), st.integers(0, 2**63 - 1))),
        etag=draw(st.one_of(st.none(), st.just('"x"'))),
        status=ProjectStatus(status=draw(TEXT), reason=draw(st.one_of(st.none(), TEXT))),
        versions=tuple(draw(st.lists(TEXT, max_size=3))),
        files=tuple(draw(st.lists(files(), max_size=4))),
        extra=draw(EXTRA),
        meta_extra=draw(EXTRA),
        refused=tuple(draw(st.lists(REFUSED, max_size=2))),
    )


@given(pages())
def test_a_page_comes_back_as_it_was(page: ProjectPage) -> None:
    assert decode_page(encode_page(page).body, project=NAME, etag=page.etag) == page


@given(pages(), pages())
def test_the_digest_tells_pages_apart_by_all_but_their_etag(one: ProjectPage, other: ProjectPage) -> None:
    same = replace(one, etag=None) == replace(other, etag=None)
    assert (encode_page(one).digest == encode_page(other).digest) == same


@pytest.mark.parametrize(("algorithms", "most"), [(("sha256",), 140), (("sha256", "sha512"), 240)])
def test_a_file_takes_few_bytes(algorithms: tuple[str, ...], most: int) -> None:
    """A hundred files as the large index states them: random digests, times to the microsecond."""

    def file(number: int) -> RemoteFile:
        place = os.urandom(32).hex()
        version = f"{number // 8}.{number % 7}.{number % 3}"
        name = f"alpha-{version}-cp3{number % 8 + 7}-cp3{number % 8 + 7}-manylinux_2_17_x86_64.whl"
        return RemoteFile(
            filename=name,
            url=f"https://files.index.example/packages/{place[:2]}/{place[2:4]}/{place[4:]}/{name}",
            hashes=tuple((a, os.urandom(32 if a == "sha256" else 64).hex()) for a in algorithms),
            size=int.from_bytes(os.urandom(3)),
            upload_time=f"2025-{number % 12 + 1:02}-07T10:{number % 60:02}:07.{number * 7919:06}Z",
            requires_python=">=3.9",
            core_metadata=(("sha256", os.urandom(32).hex()),),
            provenance=f"https://index.example/integrity/alpha/{version}/{name}/provenance",
        )

    page = ProjectPage(name=NAME, serial=7, etag=None, files=tuple(map(file, range(100))))
    assert len(encode_page(page).body) / len(page.files) <= most
