"""Golden files show the pages; properties say that no text upstream may send gets out of its place."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pypi_simple
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pypi_mirror.model import MirroredPage, PooledFile, ProjectStatus, RemoteFile
from pypi_mirror.pages.links import PoolLinks
from pypi_mirror.pages.project_page import render_html, render_json
from tests.golden import assert_golden
from tests.pages.samples import EVERYTHING, characters, digest, page, pooled, texts

GOLDEN = Path(__file__).with_name("golden")

LINKS = PoolLinks(public_url="https://mirror.example/pypi")
BASE = "https://mirror.example/pypi/simple/foo-bar/"


def parse_html(document: bytes) -> pypi_simple.ProjectPage:
    return pypi_simple.ProjectPage.from_html("foo-bar", document, BASE, from_encoding="utf-8")


def parse_json(document: bytes) -> pypi_simple.ProjectPage:
    return pypi_simple.ProjectPage.from_json_data(json.loads(document), BASE)


def test_a_page_with_everything_as_json() -> None:
    assert_golden(GOLDEN / "everything.v1_json", render_json(EVERYTHING, LINKS))


def test_a_page_with_everything_as_html() -> None:
    assert_golden(GOLDEN / "everything.html", render_html(EVERYTHING, LINKS))


def test_links_with_a_root_uri() -> None:
    links = PoolLinks(public_url="https://mirror.example/pypi", root_uri="https://files.example/pool/")
    one = page(pooled("foo_bar-1.0-py3-none-any.whl", metadata=True, provenance=True))

    assert_golden(GOLDEN / "root_uri.html", render_html(one, links))
    assert_golden(GOLDEN / "root_uri.v1_json", render_json(one, links))


def test_without_upstream_serials_no_page_shows_one() -> None:
    static = page(serial=None)

    assert json.loads(render_json(static, LINKS))["meta"] == {"api-version": "1.4"}
    assert render_html(static, LINKS).endswith(b"</body>\n</html>")


def test_what_upstream_did_not_give_is_left_out() -> None:
    (file,) = json.loads(render_json(page(pooled("a-1.tar.gz")), LINKS))["files"]

    assert file.keys().isdisjoint({"upload-time", "gpg-sig"})
    assert file["requires-python"] is None
    assert file["provenance"] is None


def test_a_signature_is_never_advertised() -> None:
    signed = page(pooled("a-1.tar.gz", gpg_sig=True))

    assert b"gpg-sig" not in render_json(signed, LINKS) + render_html(signed, LINKS)


def test_core_metadata_is_what_the_pool_holds_not_what_upstream_says() -> None:
    announced = page(pooled("a-1-py3-none-any.whl", core_metadata=(("sha256", "0" * 64),)))

    (file,) = json.loads(render_json(announced, LINKS))["files"]
    assert file["core-metadata"] is False
    assert file["data-dist-info-metadata"] is False
    assert b"metadata" not in render_html(announced, LINKS)


def test_keys_of_a_later_pep_pass_through_as_they_are() -> None:
    """PEP 691: keys are added in minor versions. PEP 833 freezes HTML, so they are in JSON alone."""
    extra = (("variants", b'{"x": [1.50]}'), ("aaa", b"null"))
    later = replace(page(pooled("a-1.tar.gz", extra=extra)), extra=extra, meta_extra=(("tracks", b"[]"),))

    body = render_json(later, LINKS)
    document = json.loads(body)

    assert body.count(b'"variants":{"x": [1.50]}') == 2
    assert document["variants"] == document["files"][0]["variants"] == {"x": [1.5]}
    assert document["meta"] == {"_last-serial": 39, "api-version": "1.4", "tracks": []}
    assert list(document["files"][0]) == sorted(document["files"][0])
    assert b"variants" not in render_html(later, LINKS)


def test_what_the_mirror_states_itself_nobody_else_states() -> None:
    keys = ("url", "hashes", "core-metadata", "dist-info-metadata", "provenance", "gpg-sig", "upload-time")
    extra = tuple((key, b'"theirs"') for key in (*keys, "size", "yanked", "filename"))
    plain = page(pooled("a-1.tar.gz", gpg_sig=True))
    told = page(pooled("a-1.tar.gz", gpg_sig=True, extra=extra))
    stated = tuple((key, b'"theirs"') for key in ("files", "meta", "name", "versions", "project-status"))
    told = replace(told, extra=stated, meta_extra=(("_last-serial", b"99"), ("api-version", b'"9"')))

    assert render_json(told, LINKS) == render_json(plain, LINKS)


def test_the_verified_sha256_is_listed_where_upstream_gave_only_another() -> None:
    old = pooled("a-1.tar.gz")
    remote = RemoteFile(filename="a-1.tar.gz", url=old.remote.url, hashes=(("md5", "d" * 32),))
    file = PooledFile(remote=remote, path=old.path, size=old.size, sha256=old.sha256)

    (listed,) = json.loads(render_json(page(file), LINKS))["files"]
    assert listed["hashes"] == {"md5": "d" * 32, "sha256": old.sha256}


filenames = (
    st.text(characters.filter(lambda character: character != "/" and character.isprintable()), max_size=30)
    # The HTML parser strips the text of an anchor, so a space at the end cannot be seen through it.
    .map(lambda text: f"a{text}z")
)


@st.composite
def pooled_files(draw: st.DrawFn) -> PooledFile:
    return pooled(
        draw(filenames),
        metadata=draw(st.booleans()),
        provenance=draw(st.booleans()),
        requires_python=draw(st.none() | texts),
        yanked=draw(st.none() | texts),
        gpg_sig=draw(st.sampled_from([None, False])),
        upload_time=draw(st.sampled_from([None, "2026-11-22T10:44:12.172437Z"])),
    )


@st.composite
def mirrored_pages(draw: st.DrawFn) -> MirroredPage:
    return page(
        *draw(st.lists(pooled_files(), max_size=3)),
        serial=draw(st.none() | st.integers(0, 1 << 40)),
        status=ProjectStatus(
            status=draw(st.sampled_from(["active", "archived", "quarantined", "deprecated"])),
            reason=draw(st.none() | texts),
        ),
        versions=tuple(draw(st.lists(texts, max_size=3))),
    )


@pytest.mark.parametrize(
    ("render", "parse"), [(render_html, parse_html), (render_json, parse_json)], ids=["html", "json"]
)
@given(mirrored=mirrored_pages())
def test_a_client_reads_what_the_model_says(
    render: Callable[[MirroredPage, PoolLinks], bytes],
    parse: Callable[[bytes], pypi_simple.ProjectPage],
    mirrored: MirroredPage,
) -> None:
    """PEP 503, 592, 658, 691, 700, 714, 740 and 792, through an independent client's parser."""
    parsed = parse(render(mirrored, LINKS))

    assert parsed.repository_version == "1.4"
    assert parsed.status is not None
    assert parsed.status.value == mirrored.status.status
    assert parsed.status_reason == (mirrored.status.reason or None)
    assert len(parsed.packages) == len(mirrored.files)
    for package, file in zip(parsed.packages, mirrored.files, strict=True):
        assert package.filename == file.remote.filename
        assert package.digests["sha256"] == file.sha256
        assert (package.requires_python or None) == (file.remote.requires_python or None)
        assert package.is_yanked == (file.remote.yanked is not None)
        assert (package.yanked_reason or "") == (file.remote.yanked or "")
        assert bool(package.has_metadata) == (file.metadata_sha256 is not None)
        if file.metadata_sha256:
            assert package.metadata_digests == {"sha256": digest("metadata of " + package.filename)}
        assert package.has_sig == file.remote.gpg_sig
        assert package.provenance_url == (LINKS.provenance(file) if file.has_provenance else None)
        assert unquote(urlsplit(package.url).path) == f"/pypi/{file.path}"


@given(mirrored=mirrored_pages())
def test_json_carries_what_html_cannot(mirrored: MirroredPage) -> None:
    """PEP 700: versions, sizes and upload times."""
    parsed = parse_json(render_json(mirrored, LINKS))

    assert tuple(parsed.versions or ()) == mirrored.versions
    assert parsed.last_serial == (None if mirrored.serial is None else str(mirrored.serial))
    assert [package.size for package in parsed.packages] == [file.size for file in mirrored.files]
    assert [package.upload_time is not None for package in parsed.packages] == [
        file.remote.upload_time is not None for file in mirrored.files
    ]


@given(mirrored=mirrored_pages())
def test_json_has_the_bytes_that_upstreams_serializer_would_write(mirrored: MirroredPage) -> None:
    document = render_json(mirrored, LINKS)

    again = json.dumps(json.loads(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert document == again.encode() + b"\n"


@given(text=texts)
def test_text_adds_no_markup(text: str) -> None:
    """A page with hostile text has the tags and attributes of the same page with harmless text."""

    def shape(requires: str, reason: str, status: str) -> list[bytes]:
        document = render_html(
            page(
                pooled("a-1.tar.gz", requires_python=requires, yanked=reason),
                status=ProjectStatus(reason=status),
            ),
            LINKS,
        )
        return [bytes([byte]) for byte in document if byte in b"<>\"'"]

    assert shape(f"x{text}", text, f"x{text}") == shape("x", "", "x")
