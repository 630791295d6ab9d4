"""What upstream says becomes a path, a request or a link only when it can do no harm there."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_mirror.errors import FileRefused, UpstreamMalformed
from pypi_mirror.upstream.checks import (
    MAX_FILENAME,
    MAX_NAME,
    checked_address,
    checked_etag,
    checked_filename,
    checked_hashes,
    checked_name,
    checked_serial,
    checked_status,
)

URL = "https://index.example/simple/alpha/"
# What hostile pages are made of.
nasty = st.text(st.sampled_from("./\\:@%#?&\0\n\r\t \u202e\ufeffaZ0-_~$'\"<>é") | st.characters())


class TestNames:
    @given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,60}[A-Za-z0-9])?", fullmatch=True))
    def test_normalized_as_the_pep_says(self, name: str) -> None:
        """PEP 503: "The name should be lowercased with all runs of the characters ., -, or _ replaced
        with a single - character."
        """
        normalized = checked_name(name, url=URL)

        assert normalized == canonicalize_name(name)
        assert normalized == normalized.lower()
        assert not set(normalized) & set("._")
        assert "--" not in normalized
        assert checked_name(normalized, url=URL) == normalized

    @given(
        st.sampled_from(
            ["", "https://files.example", "http://files.example", "https://files.example:44300", "h"]
        ),
        st.lists(st.sampled_from(["a", "b.whl", ".", "..", "", "%2e", "x+y", "a;b", "é"]), max_size=5),
    )
    def test_the_short_way_leads_where_the_long_one_does(self, origin: str, parts: list[str]) -> None:
        """RFC 3986, section 5.2, as the standard library has it."""
        address = origin + "".join(f"/{part}" for part in parts)
        try:
            absolute = checked_address(address, base=URL)
        except FileRefused:
            assert "é" in address or origin.startswith("http:")
        else:
            assert absolute == urljoin(URL, address)

    @given(nasty)
    def test_whatever_is_taken_is_one_safe_directory(self, name: str) -> None:
        try:
            normalized = checked_name(name, url=URL)
        except UpstreamMalformed:
            return
        assert normalized.isascii()
        assert set(normalized) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert 0 < len(normalized) <= MAX_NAME

    @pytest.mark.parametrize(
        "name",
        [
            "",
            ".",
            "..",
            "-",
            "a/b",
            "a\\b",
            "a\n",
            "\na",
            "a b",
            "a\0b",
            "ä",
            "\u212a",
            "\u017f",
            "a" * 221,
            "-a",
            "a-",
        ],
    )
    def test_what_is_none(self, name: str) -> None:
        with pytest.raises(UpstreamMalformed, match="project name"):
            checked_name(name, url=URL)

    def test_the_longest(self) -> None:
        assert len(checked_name("a" * MAX_NAME, url=URL)) == MAX_NAME


class TestFilenames:
    @pytest.mark.parametrize(
        "filename",
        [
            "alpha-1.0-py3-none-any.whl",
            "alpha-1.0.tar.gz",
            "Alpha_b-1!2.0+local.1-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "alpha 1.0.win32-py2.7 (old).exe",
            "_alpha-1.0.zip",
            "alpha ©-1.0.zip",
            "é.whl",
            "a",
            "x" * 246,
            "é" * 123,
        ],
    )
    def test_of_real_files(self, filename: str) -> None:
        assert checked_filename(filename, url=URL) == filename

    @pytest.mark.parametrize(
        "filename",
        [
            "", ".", "..", ".hidden", ".tmp-x", "-rf", " a", "a/b", "../a", "/etc/passwd", "a\\b", "C:a",
            "a\0", "a\n", "a\r", "a\t", "\x7f",
            "a\u202egnp.exe", "a\u00a0b", "a\u2028", "\ufeffa", "a\u200bb", "\uffff",
            "a*b", 'a"b', "a<b>", "a|b", "a?b", "a:b",
            "x" * (MAX_FILENAME + 1), "é" * 124, "x.whl.metadata", "x.whl.provenance",
        ],
    )  # fmt: skip
    def test_that_are_refused(self, filename: str) -> None:
        with pytest.raises(FileRefused):
            checked_filename(filename, url=URL)

    @given(nasty)
    def test_whatever_is_taken_is_one_visible_name_with_room_for_more(self, filename: str) -> None:
        try:
            checked_filename(filename, url=URL)
        except FileRefused:
            return
        assert filename.isprintable()
        assert not set(filename) & set('/\\:*?"<>|\0')
        assert not filename.startswith((".", "-"))
        assert len(f"{filename}.metadata".encode()) <= 255


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "absolute"),
        [
            ("https://files.example/a/b.whl", "https://files.example/a/b.whl"),
            ("../../packages/a/b.whl", "https://index.example/packages/a/b.whl"),
            ("b.whl", "https://index.example/simple/alpha/b.whl"),
            ("/b.whl", "https://index.example/b.whl"),
            ("//files.example/b.whl", "https://files.example/b.whl"),
            ("../../../../../b.whl", "https://index.example/b.whl"),
            ("b%2Bc.whl?x=1", "https://index.example/simple/alpha/b%2Bc.whl?x=1"),
        ],
    )
    def test_on_a_page(self, address: str, absolute: str) -> None:
        assert checked_address(address, base=URL) == absolute

    @pytest.mark.parametrize(
        "address",
        [
            "file:///etc/passwd", "ftp://files.example/x", "javascript:alert(1)", "data:,x", "gopher://x/1",
            "https://user@files.example/x", "https://:pw@files.example/x", "https://@files.example/x",
            "http://files.example/x", "https://files.example:port/x", "https://files.example:99999/x",
            "https://[::1/x", "https://files.example\\@other.example/x", "\\\\files.example\\x", "a\\..\\b",
            "https://files.example/\x01", "https://files.example/a b", "https://files.example/é",
        ],
    )  # fmt: skip
    def test_that_are_refused(self, address: str) -> None:
        with pytest.raises(FileRefused):
            checked_address(address, base=URL)

    def test_http_from_an_http_page(self) -> None:
        assert (
            checked_address("http://files.example/x", base="http://index.example/")
            == "http://files.example/x"
        )

    @given(nasty)
    def test_whatever_is_taken_is_an_absolute_https_address(self, address: str) -> None:
        try:
            absolute = checked_address(address, base=URL)
        except FileRefused:
            return
        parts = urlsplit(absolute)
        assert absolute.isascii()
        assert absolute.isprintable()
        assert not set(absolute) & {" ", "\\"}
        assert (parts.scheme, parts.username) == ("https", None)
        assert parts.hostname


class TestHashes:
    def test_lower_case(self) -> None:
        assert checked_hashes({"sha256": "AB" * 32, "md5": "0" * 32}, url=URL) == (
            ("sha256", "ab" * 32),
            ("md5", "0" * 32),
        )

    def test_of_algorithms_we_do_not_know(self) -> None:
        assert checked_hashes({"shake_128": "ab", "own": "12"}, url=URL) == (
            ("shake_128", "ab"),
            ("own", "12"),
        )

    @pytest.mark.parametrize(
        "hashes",
        [
            {"sha256": ""}, {"sha256": "ab"}, {"sha256": "g" * 64}, {"sha256": "٠" * 64},
            {"sha256": "ab" * 32 + "\n"}, {"own": ""}, {"own": "x"}, {"ö": "ab"},
        ],
    )  # fmt: skip
    def test_that_are_refused(self, hashes: dict[str, str]) -> None:
        with pytest.raises(FileRefused, match="digest"):
            checked_hashes(hashes, url=URL)


@pytest.mark.parametrize("etag", ['"x"', 'W/"x"', '""', '"a=/+~"'])
def test_etags_that_can_be_sent_back(etag: str) -> None:
    assert checked_etag(etag) == etag


@pytest.mark.parametrize(
    "etag", [None, "", "x", '"', '"é"', '"a"b"', '"a b"', 'w/"x"', '"x"\n', '"' + "x" * 501 + '"']
)
def test_etags_that_cannot(etag: str | None) -> None:
    assert checked_etag(etag) is None


@pytest.mark.parametrize(("text", "serial"), [("0", 0), ("17", 17), (str(2**63 - 1), 2**63 - 1)])
def test_serials(text: str, serial: int) -> None:
    assert checked_serial(text) == serial


@pytest.mark.parametrize("text", ["", "-1", "1.0", "²", "٣", str(2**63), "9" * 5000, " 1", "None"])
def test_what_is_no_serial(text: str) -> None:
    assert checked_serial(text) is None


@pytest.mark.parametrize("status", ["active", "archived", "quarantined", "deprecated", "thought-of-later"])
def test_statuses(status: str) -> None:
    assert checked_status(status, url=URL) == status


@pytest.mark.parametrize("status", ["", "Active", "a b", "a\0", "<b>", "x" * 33, "ä"])
def test_what_is_no_status(status: str) -> None:
    with pytest.raises(UpstreamMalformed, match="project status"):
        checked_status(status, url=URL)
