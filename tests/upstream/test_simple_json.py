"""PEP 691 documents: all they can say arrives, and what breaks the PEP is refused for its project alone."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import NormalizedName

from pypi_mirror.errors import FileRefused, UpstreamError, UpstreamMalformed
from pypi_mirror.model import MirroredPage, PooledFile, ProjectPage, ProjectStatus, RemoteFile
from pypi_mirror.pages.links import PoolLinks
from pypi_mirror.pages.project_page import render_json
from pypi_mirror.upstream.simple_json import parse_project_page, parse_root_index

URL = "https://index.example/simple/foo-bar/"
NAME = NormalizedName("foo-bar")
DIGEST = "ab" * 32
FILE: dict[str, Any] = {"filename": "foo_bar-1.0.tar.gz", "url": "https://files.example/x", "hashes": {}}


def document(**changes: Any) -> dict[str, Any]:
    return {"meta": {"api-version": "1.4", "_last-serial": 7}, "name": "foo-bar", "files": [FILE]} | changes


def parse(body: bytes | dict[str, Any], header_serial: int | None = None) -> ProjectPage:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_project_page(raw, url=URL, project=NAME, header_serial=header_serial, etag='"e"')


def file(**changes: Any) -> RemoteFile:
    (only,) = parse(document(files=[FILE | changes])).files
    return only


class TestProjectPages:
    def test_everything(self) -> None:
        page = parse(
            document(
                name="Foo.Bar",
                versions=["1.0", "2.0"],
                **{"project-status": {"status": "archived", "reason": "done"}, "unknown": [1]},
                files=[
                    FILE
                    | {
                        "hashes": {"sha256": DIGEST.upper()},
                        "requires-python": ">=3.8",
                        "size": 12,
                        "upload-time": "2025-03-01T12:00:00.172437Z",
                        "yanked": "broken",
                        "core-metadata": {"sha256": DIGEST},
                        "data-dist-info-metadata": False,
                        "provenance": "/integrity/x",
                        "gpg-sig": False,
                        "dist-info-metadata": 7,
                    }
                ],
            )
        )

        assert page == ProjectPage(
            name=NAME,
            serial=7,
            etag='"e"',
            status=ProjectStatus(status="archived", reason="done"),
            versions=("1.0", "2.0"),
            files=(
                RemoteFile(
                    filename="foo_bar-1.0.tar.gz",
                    url="https://files.example/x",
                    hashes=(("sha256", DIGEST),),
                    size=12,
                    upload_time="2025-03-01T12:00:00.172437Z",
                    requires_python=">=3.8",
                    yanked="broken",
                    core_metadata=(("sha256", DIGEST),),
                    provenance="https://index.example/integrity/x",
                    gpg_sig=False,
                ),
            ),
        )

    def test_the_least(self) -> None:
        page = parse({"meta": {"api-version": "1.0"}, "name": "foo-bar", "files": []})

        assert page == ProjectPage(name=NAME, serial=None, etag='"e"')

    def test_null_versions_are_none(self) -> None:
        document = {"meta": {"api-version": "1.1"}, "name": "foo-bar", "files": [], "versions": None}
        assert parse(document).versions == ()

    def test_the_body_knows_its_serial_better_than_its_headers(self) -> None:
        assert parse(document(), header_serial=9).serial == 7
        assert parse(document(meta={"api-version": "1.0"}), header_serial=9).serial == 9

    @pytest.mark.parametrize(
        ("yanked", "reason"), [(None, None), (False, None), (True, ""), ("", ""), ("why", "why")]
    )
    def test_yanked(self, yanked: bool | str | None, reason: str | None) -> None:
        """PEP 592: a reason that is empty yanks as well as one that is not."""
        assert file(yanked=yanked).yanked == reason

    @pytest.mark.parametrize(
        ("new", "old", "digests"),
        [
            ({"sha256": DIGEST}, False, (("sha256", DIGEST),)),
            (False, {"sha256": DIGEST}, None),
            (None, {"sha256": DIGEST}, (("sha256", DIGEST),)),
            (True, None, ()),
            ({}, None, ()),
            (None, None, None),
        ],
    )
    def test_metadata_by_either_name(self, new: Any, old: Any, digests: Any) -> None:
        """PEP 714: the old key counts only where the new one is not there."""
        assert file(**{"core-metadata": new, "data-dist-info-metadata": old}).core_metadata == digests

    def test_relative_addresses_without_fragments(self) -> None:
        assert file(url="../../packages/x.whl#sha256=ab").url == "https://index.example/packages/x.whl"

    def test_a_newer_minor_version(self) -> None:
        assert parse(document(meta={"api-version": "1.99"})).name == NAME

    @pytest.mark.parametrize("version", ["2.0", "0.9", "", "one", "10.0"])
    def test_another_major_version(self, version: str) -> None:
        with pytest.raises(UpstreamMalformed, match="version"):
            parse(document(meta={"api-version": version}))

    def test_of_another_project(self) -> None:
        with pytest.raises(UpstreamMalformed, match="this is the page of 'other'"):
            parse(document(name="other"))

    def test_a_file_twice(self) -> None:
        with pytest.raises(UpstreamMalformed, match="twice"):
            parse(document(files=[FILE, FILE | {"url": "/y"}]))

    @pytest.mark.parametrize(
        ("once", "twice"),
        [
            ('"files": [', '"files": [], "files": ['),
            ('"filename": ', '"filename": "other.zip", "filename": '),
            ('"url": ', '"\\u0075rl": "elsewhere", "url": '),
            ('"sha256": ', '"sha256": "00", "sha256": '),
            ('"size": ', '"size": 7, "size": '),
        ],
    )
    def test_a_key_twice_is_two_pages_in_one(self, once: str, twice: str) -> None:
        body = json.dumps(document(files=[FILE | {"hashes": {"sha256": DIGEST}, "size": 5}]))
        assert once in body
        with pytest.raises(UpstreamMalformed, match="twice"):
            parse(body.replace(once, twice, 1).encode())

    def test_a_word_of_the_protocol_may_be_said_in_a_text(self) -> None:
        reason = 'see "files" and \\ "url", "filename"'
        assert file(yanked=reason).yanked == reason

    @pytest.mark.parametrize(
        "time", ["now", "2025-13-01T00:00:00Z", "2025-01-01", "<b>", "2025-01-01T00:00:00"]
    )
    def test_an_upload_time_that_clients_choke_on(self, time: str) -> None:
        with pytest.raises(UpstreamMalformed, match="upload time"):
            file(**{"upload-time": time})

    @pytest.mark.parametrize("key", ["yanked", "requires-python"])
    def test_a_text_beyond_measure(self, key: str) -> None:
        with pytest.raises(UpstreamMalformed, match="too long"):
            file(**{key: "x" * 70_000})

    def test_more_values_than_fit_into_memory(self) -> None:
        body = json.dumps(document())[:-1] + ', "x": [' + "0," * 1_500_000 + "0]}"
        with pytest.raises(UpstreamMalformed, match="values"):
            parse(body.encode())

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": 7}, {"name": None}, {"name": ""}, {"name": "../x"}, {"files": None}, {"files": {}},
            {"files": [7]}, {"files": ["x"]}, {"versions": [1]}, {"versions": "1.0"}, {"meta": {}},
            {"meta": 7}, {"meta": []},
            {"meta": {"api-version": 1.0}}, {"meta": {"api-version": "1.0", "_last-serial": "7"}},
            {"meta": {"api-version": "1.0", "_last-serial": -1}},
            {"meta": {"api-version": "1.0", "_last-serial": 2**63}},
            {"project-status": "active"}, {"project-status": {"status": "<b>"}},
            {"project-status": {"status": None}},
        ],
    )  # fmt: skip
    def test_wrong_values_in_a_page(self, changes: dict[str, Any]) -> None:
        with pytest.raises(UpstreamMalformed):
            parse(document(**changes))

    @pytest.mark.parametrize(
        "changes",
        [
            {"filename": 7}, {"url": None}, {"hashes": None}, {"hashes": {"sha256": 7}}, {"hashes": []},
            {"size": -1}, {"size": "12"}, {"size": 1.5}, {"size": 2**41}, {"size": True}, {"yanked": 1},
            {"core-metadata": "yes"}, {"core-metadata": {"sha256": 7}}, {"requires-python": 3.8},
            {"upload-time": 1700000000}, {"provenance": True}, {"gpg-sig": "no"},
        ],
    )  # fmt: skip
    def test_wrong_values_in_a_file(self, changes: dict[str, Any]) -> None:
        with pytest.raises(UpstreamMalformed):
            file(**changes)

    @pytest.mark.parametrize(
        "changes",
        [
            {"filename": "../x"}, {"filename": "a/b"}, {"filename": "x" * 300}, {"filename": "a\0"},
            {"url": "file:///x"}, {"url": "http://files.example/x"}, {"url": "https://u:p@files.example/x"},
            {"url": "https://files.example\\x"}, {"hashes": {"sha256": "ab"}}, {"hashes": {"sha256": "../"}},
            {"core-metadata": {"sha256": "x"}}, {"provenance": "file:///x"},
        ],
    )  # fmt: skip
    def test_unsafe_values_in_a_file(self, changes: dict[str, Any]) -> None:
        with pytest.raises(FileRefused):
            file(**changes)

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"null", b"[]", b"7", b"{}", b"<html>", b'{"meta":', b"\xff\xfe{", b'{"name": "\xff"}',
            rb'{"meta":{"api-version":"1.0"},"name":"foo-bar","files":[],"versions":["\ud800"]}',
            b'{"meta":{"api-version":"1.0","_last-serial":NaN},"name":"foo-bar","files":[]}',
            b'{"meta":{"api-version":"1.0","_last-serial":1e999},"name":"foo-bar","files":[]}',
            b'{"meta":{"_last-serial":1' + b"0" * 5000 + b',"api-version":"1.0"},"name":"x","files":[]}',
            b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            b"[" * 1_000_000,
        ],
        ids=range(15),
    )  # fmt: skip
    def test_what_is_no_document(self, body: bytes) -> None:
        with pytest.raises(UpstreamMalformed, match="no PEP 691 document"):
            parse(body)

    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["foo-bar", "1.0", "/x"]),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*document(), *FILE, "x"]), inner),
    )

    @given(st.binary() | values.map(lambda value: json.dumps(value).encode()))
    def test_anything_is_a_page_or_a_refusal(self, body: bytes) -> None:
        """Whatever else were raised would end the batch, not the project."""
        with suppress(UpstreamError):
            assert parse(body).name == NAME


class TestRoundTrip:
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
    files = st.builds(
        PooledFile,
        remote=st.builds(
            RemoteFile,
            filename=st.from_regex(r"[a-z0-9][a-z0-9+._-]{0,30}\.whl", fullmatch=True),
            url=st.just("https://files.example/x"),
            hashes=st.just(()),
            upload_time=st.none() | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
            requires_python=st.none() | texts.filter(bool),
            yanked=st.none() | texts,
            gpg_sig=st.none() | st.just(False),
        ),
        path=st.just("packages/aa/bb/cc/x.whl"),
        size=st.integers(0, 2**40),
        sha256=digests,
        metadata_sha256=st.none() | digests,
        provenance_sha256=st.none() | digests,
    )

    @given(
        files=st.lists(files, max_size=5, unique_by=lambda each: each.remote.filename),
        serial=st.none() | st.integers(0, 2**63 - 1),
        versions=st.lists(texts, max_size=3),
        reason=st.none() | texts.filter(bool),
    )
    def test_our_pages_are_read_back_as_they_were_meant(
        self, files: list[PooledFile], serial: int | None, versions: list[str], reason: str | None
    ) -> None:
        """So that a mirror can be another mirror's upstream (PEP 691, 700, 740, 792)."""
        status = ProjectStatus(status="archived", reason=reason)
        ours = MirroredPage(
            name=NAME, serial=serial, status=status, versions=tuple(versions), files=tuple(files)
        )
        body = render_json(ours, PoolLinks(public_url="https://index.example"))

        theirs = parse(body)

        assert (theirs.serial, theirs.status, theirs.versions) == (serial, status, ours.versions)
        for ours_, read in zip(files, theirs.files, strict=True):
            remote = ours_.remote
            assert (read.filename, read.size, read.sha256) == (remote.filename, ours_.size, ours_.sha256)
            assert (read.yanked, read.requires_python) == (remote.yanked, remote.requires_python)
            assert (read.upload_time, read.gpg_sig) == (remote.upload_time, remote.gpg_sig)
            wanted = None if ours_.metadata_sha256 is None else (("sha256", ours_.metadata_sha256),)
            assert read.core_metadata == wanted
            assert (read.provenance is not None) == ours_.has_provenance
            assert read.url == f"https://index.example/{ours_.path}"


class TestRootIndex:
    def index(self, *projects: Any, **meta: Any) -> bytes:
        return json.dumps({"meta": {"api-version": "1.0"} | meta, "projects": projects}).encode()

    def test_with_serials(self) -> None:
        body = self.index({"name": "Foo.Bar", "_last-serial": 7}, **{"_last-serial": 9})
        serial, entries = parse_root_index(body, url=URL)

        (entry,) = entries
        assert (serial, entry.name, entry.project, entry.serial) == (9, "Foo.Bar", "foo-bar", 7)

    def test_without(self) -> None:
        serial, entries = parse_root_index(self.index({"name": "a", "new": 1}), url=URL)

        assert (serial, [entry.serial for entry in entries]) == (None, [None])

    @pytest.mark.parametrize("name", ["", "..", "a/b", "-", "a" * 300])
    def test_an_impossible_name_does_not_keep_the_others_away(self, name: str) -> None:
        _, entries = parse_root_index(self.index({"name": "a"}, {"name": name}, {"name": "b"}), url=URL)

        assert [entry.name for entry in entries] == ["a", "b"]

    @pytest.mark.parametrize(
        "projects", [[7], ["a"], [{}], [{"name": 7}], [{"name": "a", "_last-serial": 2**63}]]
    )
    def test_wrong_values(self, projects: list[Any]) -> None:
        with pytest.raises(UpstreamMalformed):
            parse_root_index(self.index(*projects), url=URL)

    def test_another_major_version(self) -> None:
        with pytest.raises(UpstreamMalformed, match="version"):
            parse_root_index(b'{"meta":{"api-version":"2.0"},"projects":[]}', url=URL)
