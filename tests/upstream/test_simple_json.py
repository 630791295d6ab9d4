"""PEP 691 documents: all they can say arrives, and what breaks the PEP is refused for its project alone."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.errors import UpstreamError, UpstreamMalformed
from pypi_mirror.model import Extra, MirroredPage, PooledFile, ProjectPage, ProjectStatus, RemoteFile
from pypi_mirror.pages.links import PoolLinks
from pypi_mirror.pages.project_page import render_json
from pypi_mirror.upstream.checks import ILLEGIBLE
from pypi_mirror.upstream.simple_json import parse_project_page, parse_root_index

URL = "https://index.example/simple/foo-bar/"
NAME = NormalizedName("foo-bar")
DIGEST = "ab" * 32
FILE: dict[str, Any] = {"filename": "foo_bar-1.0.tar.gz", "url": "https://files.example/x", "hashes": {}}

GOOD = [FILE | {"filename": f"foo_bar-{n}.zip", "url": f"/{n}"} for n in (2, 3)]


def document(**changes: Any) -> dict[str, Any]:
    return {"meta": {"api-version": "1.4", "_last-serial": 7}, "name": "foo-bar", "files": [FILE]} | changes


def parse(body: bytes | dict[str, Any], header_serial: int | None = None) -> ProjectPage:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_project_page(raw, url=URL, project=NAME, header_serial=header_serial, etag='"e"')


def file(**changes: Any) -> RemoteFile:
    (only,) = parse(document(files=[FILE | changes])).files
    return only


def beside_good(bad: Any) -> ProjectPage:
    """A page with a file that is as it should be before and behind an entry that is not."""
    return parse(document(files=[GOOD[0], bad, GOOD[1]], versions=["1.0"]))


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
                        "variant": {"b": [1.50, None]},
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
                    extra=(("variant", b'{"b": [1.5, null]}'),),
                ),
            ),
            extra=(("unknown", b"[1]"),),
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

    def test_the_same_entry_twice_is_one(self) -> None:
        page = parse(document(files=[FILE, GOOD[0], FILE]))
        assert [each.filename for each in page.files] == [FILE["filename"], GOOD[0]["filename"]]
        assert page.refused == ()

    @pytest.mark.parametrize(
        "other",
        [{"url": "/y"}, {"hashes": {"sha256": DIGEST}}, {"yanked": True}, {"size": 7}, {"new-key": 1}],
    )
    def test_a_file_said_in_two_ways_is_left_out_and_named(self, other: dict[str, Any]) -> None:
        page = parse(document(files=[GOOD[0], FILE, FILE | other, FILE, GOOD[1]]))
        assert [each.filename for each in page.files] == [each["filename"] for each in GOOD]
        (refused,) = page.refused
        assert (refused.filename, refused.field) == (FILE["filename"], None)
        assert "more than once" in refused.reason

    @pytest.mark.parametrize(
        ("once", "twice"),
        [
            ('"files": [', '"files": [], "files": ['),
            ('"meta": ', '"meta": {}, "\\u006deta": '),
        ],
    )
    def test_a_key_twice_is_two_pages_in_one(self, once: str, twice: str) -> None:
        body = json.dumps(document())
        assert once in body
        with pytest.raises(UpstreamMalformed, match="twice"):
            parse(body.replace(once, twice, 1).encode())

    @pytest.mark.parametrize(
        ("once", "twice"),
        [
            ('"filename": ', '"filename": "other.zip", "filename": '),
            ('"url": ', '"\\u0075rl": "elsewhere", "url": '),
            ('"sha256": ', '"sha256": "00", "sha256": '),
            ('"size": ', '"size": 7, "size": '),
            ('"new": ', '"new": 7, "new": '),
        ],
    )
    @pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
    def test_a_key_twice_in_a_file_costs_that_file(
        self, once: str, twice: str, separators: tuple[str, str]
    ) -> None:
        bad = FILE | {"hashes": {"sha256": DIGEST}, "size": 5, "new": 1}
        body = json.dumps(document(files=[GOOD[0], bad, GOOD[1]]), separators=separators)
        once, twice = (text.replace('": ', f'"{separators[1]}') for text in (once, twice))
        start = body.rindex('{"filename"', 0, body.index('"size"'))
        assert once in body[start:]

        page = parse((body[:start] + body[start:].replace(once, twice, 1)).encode())

        assert {each["filename"] for each in GOOD} <= {each.filename for each in page.files}
        assert len(page.files) == 2
        assert ["twice" in each.reason for each in page.refused] == [True]

    def test_a_word_of_the_protocol_may_be_said_in_a_text(self) -> None:
        reason = 'see "files" and \\ "url", "filename"'
        assert file(yanked=reason).yanked == reason

    @pytest.mark.parametrize(
        ("said", "read"),
        [
            ("2025-01-01T00:00:00", "2025-01-01T00:00:00Z"),
            ("2025-01-01 10:20:30.5", "2025-01-01T10:20:30.500000Z"),
            ("2025-01-01T10:20:30z", "2025-01-01T10:20:30Z"),
            ("2025-01-01T10:20:30+0200", "2025-01-01T08:20:30Z"),
            ("2025-01-01T10:20:30.1234567890Z", "2025-01-01T10:20:30.123456Z"),
            ("2025-01-01 10:20:30 UTC", "2025-01-01T10:20:30Z"),
        ],
    )
    def test_a_time_that_can_be_understood(self, said: str, read: str) -> None:
        """PEP 700 has times in UTC; uv takes no page with a time that is not RFC 3339."""
        page = beside_good(FILE | {"upload-time": said})
        assert (page.files[1].upload_time, page.refused) == (read, ())

    @pytest.mark.parametrize("key", ["yanked", "project-status"])
    def test_a_reason_beyond_measure_is_cut(self, key: str) -> None:
        long = "é" * 70_000
        if key == "yanked":
            page = beside_good(FILE | {"yanked": long})
            cut = page.files[1].yanked
        else:
            page = parse(document(**{"project-status": {"status": "archived", "reason": long}}))
            cut = page.status.reason
        assert cut == "é" * 65_536
        assert ["70,000 characters is cut to 65,536" in each.reason for each in page.refused] == [True]

    def test_more_values_than_fit_into_memory(self) -> None:
        body = json.dumps(document())[:-1] + ', "x": [' + "0," * 1_500_000 + "0]}"
        with pytest.raises(UpstreamMalformed, match="values"):
            parse(body.encode())

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": 7}, {"name": None}, {"name": ""}, {"name": "../x"}, {"files": None}, {"files": {}},
            {"files": "x"}, {"meta": {}}, {"meta": 7}, {"meta": []}, {"meta": {"api-version": 1.0}},
        ],
    )  # fmt: skip
    def test_what_leaves_no_page(self, changes: dict[str, Any]) -> None:
        with pytest.raises(UpstreamMalformed):
            parse(document(**changes))

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"versions": [1, "1.0", None, "x" * 70_000]}, "versions"), ({"versions": "1.0"}, "versions"),
            ({"meta": {"api-version": "1.0", "_last-serial": "7"}}, "_last-serial"),
            ({"meta": {"api-version": "1.0", "_last-serial": -1}}, "_last-serial"),
            ({"meta": {"api-version": "1.0", "_last-serial": 2**63}}, "_last-serial"),
            ({"meta": {"api-version": "1.0", "_last-serial": 10**400}}, "_last-serial"),
            ({"project-status": {"status": "<b>"}}, "project-status"),
            ({"project-status": 7}, "project-status"),
            ({"project-status": {"status": None}}, "project-status"),
            ({"project-status": {"status": "active", "reason": 7}}, "project-status.reason"),
            ({"project-status": {"status": "active", "reason": "\ud800"}}, "project-status.reason"),
            ({"versions": ["\udfff", "1.0"]}, "versions"),
        ],
    )  # fmt: skip
    def test_a_field_of_the_page_costs_itself(self, changes: dict[str, Any], field: str) -> None:
        page = parse(document(files=GOOD, **changes), header_serial=9)
        assert [each.filename for each in page.files] == [each["filename"] for each in GOOD]
        assert [(each.filename, each.field) for each in page.refused] == [(None, field)]
        assert page.versions == (("1.0",) if isinstance(changes.get("versions"), list) else ())
        assert page.serial == (9 if field == "_last-serial" else 7)
        assert page.status.status == "active"

    @pytest.mark.parametrize(
        ("changes", "kept"),
        [
            ({"size": -1}, {}), ({"size": "12"}, {}), ({"size": 1.5}, {}), ({"size": True}, {}),
            ({"size": {}}, {}), ({"yanked": 1}, {"yanked": ""}), ({"yanked": ["x"]}, {"yanked": ""}),
            ({"yanked": 0}, {}), ({"core-metadata": "yes"}, {}), ({"core-metadata": {"sha256": 7}}, {}),
            ({"core-metadata": {"sha256": "x"}}, {}), ({"core-metadata": {"sha256": ""}}, {}),
            ({"data-dist-info-metadata": {"sha256": "x"}}, {}), ({"requires-python": 3.8}, {}),
            ({"requires-python": "x" * 70_000}, {}), ({"requires-python": ">=3\ud800"}, {}),
            ({"yanked": "no \udfff"}, {"yanked": "no \N{REPLACEMENT CHARACTER}"}),
            ({"upload-time": 1700000000}, {}),
            ({"upload-time": "now"}, {}), ({"upload-time": "2025-13-01T00:00:00Z"}, {}),
            ({"upload-time": "2025-01-01"}, {}), ({"upload-time": "<b>"}, {}), ({"provenance": True}, {}),
            ({"upload-time": "0001-01-01T00:00:00+14:00 "}, {}), ({"provenance": "file:///x"}, {}),
            ({"gpg-sig": "no"}, {}), ({"hashes": {"md5": ""}}, {}), ({"hashes": {"sha256": ""}}, {}),
            ({"hashes": {"sha256": None}}, {}),
            ({"hashes": {"crc": "not hex", "sha256": DIGEST}}, {"hashes": (("sha256", DIGEST),)}),
            ({"hashes": {"ö": "ab", "sha256": DIGEST}}, {"hashes": (("sha256", DIGEST),)}),
        ],
    )  # fmt: skip
    def test_a_value_of_a_file_costs_itself(self, changes: dict[str, Any], kept: dict[str, Any]) -> None:
        page = beside_good(FILE | changes)
        whole = RemoteFile(filename=FILE["filename"], url=FILE["url"])
        assert page.files[1] == replace(whole, **kept)
        assert len(page.files) == 3
        (refused,) = page.refused
        assert refused.filename == FILE["filename"]
        assert (refused.field or "").partition(".")[0] in changes

    @pytest.mark.parametrize(
        "bad",
        [
            7, "x", None, [], {}, FILE | {"filename": 7}, FILE | {"url": None}, FILE | {"hashes": []},
            FILE | {"hashes": {"sha256": 7}}, FILE | {"size": 2**41}, FILE | {"filename": "../x"},
            FILE | {"filename": "a/b"}, FILE | {"filename": "x" * 247}, FILE | {"filename": "é" * 124},
            FILE | {"filename": "a\0"}, FILE | {"filename": "a\ud800"}, FILE | {"url": "file:///x"},
            FILE | {"url": "http://files.example/x"}, FILE | {"url": "https://u:p@files.example/x"},
            FILE | {"url": "https://files.example\\x"}, FILE | {"hashes": {"sha256": "ab"}},
            FILE | {"hashes": {"sha256": "../"}}, FILE | {"hashes": {"SHA256": "ab"}},
            FILE | {"hashes": {"sha256": DIGEST, "SHA256": "00" * 32}},
        ],
    )  # fmt: skip
    def test_a_file_that_is_refused_costs_itself(self, bad: Any) -> None:
        page = beside_good(bad)
        assert [each.filename for each in page.files] == [each["filename"] for each in GOOD]
        assert page.versions == ("1.0",)
        (refused,) = page.refused
        assert refused.field is None
        assert refused.filename is not None
        assert refused.filename.isprintable()
        assert refused.reason

    def test_other_algorithms_are_kept(self) -> None:
        hashes = {"sha3_256": "ab" * 32, "SHA256": DIGEST, "k12": "00"}
        assert beside_good(FILE | {"hashes": hashes}).files[1].hashes == (
            ("sha3_256", "ab" * 32),
            ("sha256", DIGEST),
            ("k12", "00"),
        )

    @pytest.mark.parametrize(
        "name", ["_foo-1.0.zip", "foo (1) ©-1.0.zip", "x" * 242 + ".whl", "é" * 121 + ".whl"]
    )
    def test_names_that_file_systems_take(self, name: str) -> None:
        assert beside_good(FILE | {"filename": name}).files[1].filename == name

    @pytest.mark.parametrize(
        "value", ["[" * 40 + "]" * 40, '{"a": 1, "a": 2}', '"\xff"', '{"x": "\\ud800"}'], ids=range(4)
    )
    def test_an_unknown_key_that_clients_choke_on_is_not_passed_on(self, value: str) -> None:
        body = json.dumps(document(files=[FILE | {"new": "VALUE"}, GOOD[0]]))
        page = parse(body.replace('"VALUE"', value).encode("latin-1"))
        if "ud800" in value:
            assert page.files[0].extra == (("new", b'{"x": "\\uffff"}'),)
        elif value.startswith("{"):
            assert ["twice" in each.reason for each in page.refused] == [True]
        else:
            assert page.files[0].extra == ()
            assert [each.field for each in page.refused] == ["new"]
        assert page.files[-1].filename == GOOD[0]["filename"]

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"null", b"[]", b"7", b"{}", b"<html>", b'{"meta":', b"\xff\xfe{", b'{"name": "\xff"}',
            rb'{"meta":{"api-version":"1.0"},"name":"foo-bar","files":[],"versions":["\ud8',
            b'{"meta":{"api-version":"1.0","_last-serial":NaN},"name":"foo-bar","files":[]}',
            b'{"meta":{"api-version":"1.0","_last-serial":1.e9},"name":"foo-bar","files":[]}',
            b'{"meta":{"api-version":"1.0"},"name":"foo-bar","files":[{"size":01}]}',
            b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            b"[" * 1_000_000,
        ],
        ids=range(15),
    )  # fmt: skip
    def test_what_is_no_document(self, body: bytes) -> None:
        with pytest.raises(UpstreamMalformed, match="not a valid PEP 691 document"):
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
    # What stands for half a surrogate pair is dropped wherever it comes from.
    texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=ILLEGIBLE), max_size=20)
    digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
    # Keys that may be those of a later PEP; what the mirror states itself, it states itself.
    extras = st.tuples(
        st.sampled_from(["a", "variant", "zz", "é", "_private"]),
        st.sampled_from([b"null", b"1.50", b'"x"', b'{"b": [1, {"\xc3\xa9":true}]}', b"-0.0e5"]),
    )
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
            extra=st.lists(extras, max_size=2, unique_by=lambda each: each[0]).map(sorted).map(tuple),
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
        extra=st.lists(extras, max_size=2, unique_by=lambda each: each[0]).map(sorted).map(tuple),
    )
    def test_our_pages_are_read_back_as_they_were_meant(
        self,
        files: list[PooledFile],
        serial: int | None,
        versions: list[str],
        reason: str | None,
        extra: Extra,
    ) -> None:
        """So that a mirror can be another mirror's upstream (PEP 691, 700, 740, 792)."""
        status = ProjectStatus(status="archived", reason=reason)
        ours = MirroredPage(
            name=NAME,
            serial=serial,
            status=status,
            versions=tuple(versions),
            files=tuple(files),
            extra=extra,
            meta_extra=extra,
        )
        body = render_json(ours, PoolLinks(public_url="https://index.example"))

        theirs = parse(body)

        assert (theirs.serial, theirs.status, theirs.versions) == (serial, status, ours.versions)
        assert (theirs.extra, theirs.meta_extra, theirs.refused) == (extra, extra, ())
        for ours_, read in zip(files, theirs.files, strict=True):
            remote = ours_.remote
            assert (read.filename, read.size, read.sha256) == (remote.filename, ours_.size, ours_.sha256)
            assert (read.yanked, read.requires_python) == (remote.yanked, remote.requires_python)
            assert read.extra == remote.extra
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

    @pytest.mark.parametrize("name", ["", "..", "a/b", "-", "a" * 300, "\ud800", "a\udfffb"])
    def test_an_impossible_name_does_not_keep_the_others_away(self, name: str) -> None:
        _, entries = parse_root_index(self.index({"name": "a"}, {"name": name}, {"name": "b"}), url=URL)

        assert [entry.name for entry in entries] == ["a", "b"]

    @pytest.mark.parametrize("serial", [2**63, 10**30, -1, 1.5, "7", True, [7]])
    def test_what_is_no_serial_costs_only_itself(self, serial: Any, caplog: pytest.LogCaptureFixture) -> None:
        _, entries = parse_root_index(
            self.index({"name": "alpha", "_last-serial": serial}, {"name": "b", "_last-serial": 7}), url=URL
        )
        assert [(entry.name, entry.serial) for entry in entries] == [("alpha", None), ("b", 7)]
        assert "alpha" in caplog.text

    @pytest.mark.parametrize("projects", [[7], ["a"], [{}], [{"name": 7}]])
    def test_wrong_values(self, projects: list[Any]) -> None:
        with pytest.raises(UpstreamMalformed):
            parse_root_index(self.index(*projects), url=URL)

    def test_another_major_version(self) -> None:
        with pytest.raises(UpstreamMalformed, match="version"):
            parse_root_index(b'{"meta":{"api-version":"2.0"},"projects":[]}', url=URL)
