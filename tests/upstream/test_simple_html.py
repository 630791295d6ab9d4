"""PEP 503 pages, made by upstreams, by hand, and by those who mean harm."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.utils import NormalizedName

from pypi_mirror.errors import UpstreamError, UpstreamMalformed
from pypi_mirror.model import ProjectPage, ProjectStatus, RemoteFile
from pypi_mirror.upstream.simple_html import parse_project_page, parse_root_index

URL = "https://index.example/simple/foo-bar/"
ROOT = "https://index.example/simple/"
NAME = NormalizedName("foo-bar")
DIGEST = "ab" * 32
HEAD = '<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.4">'


def parse(body: str | bytes, header_serial: int | None = None) -> ProjectPage:
    raw = body if isinstance(body, bytes) else body.encode()
    return parse_project_page(raw, url=URL, project=NAME, header_serial=header_serial, etag='"e"')


def anchor(attributes: str = "", *, href: str = "/x", text: str = "foo_bar-1.0.tar.gz") -> str:
    return f'<html><a href="{href}" {attributes}>{text}</a></html>'


def file(attributes: str = "", *, href: str = "/x", text: str = "foo_bar-1.0.tar.gz") -> RemoteFile:
    (only,) = parse(anchor(attributes, href=href, text=text)).files
    return only


def names(body: str) -> list[str]:
    return [entry.name for entry in parse_root_index(body.encode(), url=ROOT)[1]]


class TestProjectPages:
    def test_everything(self) -> None:
        page = parse(
            f'{HEAD}<meta name="pypi:project-status" content="archived">'
            '<meta name="pypi:project-status-reason" content="done &amp; dusted"></head><body>'
            f'<a href="../../packages/x.whl#sha256={DIGEST.upper()}" data-requires-python="&gt;=3.8" '
            f'data-yanked="broken" data-core-metadata="sha256={DIGEST}" data-provenance="/integrity/x" '
            'data-gpg-sig="false"> foo_bar-1.0-py3-none-any.whl </a></body></html>\n<!--SERIAL 17-->'
        )

        assert page == ProjectPage(
            name=NAME,
            serial=17,
            etag='"e"',
            status=ProjectStatus(status="archived", reason="done & dusted"),
            versions=("1.0",),
            files=(
                RemoteFile(
                    filename="foo_bar-1.0-py3-none-any.whl",
                    url="https://index.example/packages/x.whl",
                    hashes=(("sha256", DIGEST),),
                    requires_python=">=3.8",
                    yanked="broken",
                    core_metadata=(("sha256", DIGEST),),
                    provenance="https://index.example/integrity/x",
                    gpg_sig=False,
                ),
            ),
        )

    def test_a_bare_anchor_is_enough(self) -> None:
        page = parse("<a href=/x>foo_bar-1.0.zip</a>", header_serial=9)

        assert page.files == (RemoteFile(filename="foo_bar-1.0.zip", url="https://index.example/x"),)
        assert (page.serial, page.status) == (9, ProjectStatus())

    @pytest.mark.parametrize(
        ("attributes", "reason"), [("", None), ("data-yanked", ""), ('data-yanked="w"', "w")]
    )
    def test_yanked(self, attributes: str, reason: str | None) -> None:
        """PEP 592: the attribute's presence yanks, whatever its value."""
        assert file(attributes).yanked == reason

    @pytest.mark.parametrize(
        ("attributes", "digests"),
        [
            (f'data-core-metadata="sha256={DIGEST}"', (("sha256", DIGEST),)),
            (f'data-dist-info-metadata="sha256={DIGEST}"', (("sha256", DIGEST),)),
            (f'data-core-metadata="false" data-dist-info-metadata="sha256={DIGEST}"', None),
            ('data-core-metadata="true"', ()),
            ("", None),
        ],
    )
    def test_metadata_by_either_name(self, attributes: str, digests: object) -> None:
        """PEP 714: the old attribute counts only where the new one is not there."""
        assert file(attributes).core_metadata == digests

    def test_a_fragment_that_is_no_digest(self) -> None:
        assert file(href="/x#egg=foo").hashes == ()
        assert file(href="/x#md5=" + "0" * 32).hashes == (("md5", "0" * 32),)

    def test_what_else_a_page_links_is_not_a_file(self) -> None:
        """PEP 503: "There may be any other HTML elements on the API pages"."""
        page = parse(anchor() + '<a href="../">../</a> <a href="https://x.example/">Home Page</a>')

        assert [each.filename for each in page.files] == ["foo_bar-1.0.tar.gz"]

    def test_files_of_every_kind_and_their_versions(self) -> None:
        listed = [
            "foo_bar-1.0.tar.zst",
            "foo_bar-1.1-cp312-cp312-win_amd64-x86_64_v3.whl",
            "foo_bar-1.2-variants.json",
        ]
        page = parse("<html>" + "".join(f'<a href="/{name}">{name}</a>' for name in listed) + "</html>")

        assert [each.filename for each in page.files] == listed
        assert page.versions == ("1.0", "1.1", "1.2")

    def test_the_same_anchor_twice(self) -> None:
        assert len(parse(anchor() + anchor()).files) == 1

    def test_two_anchors_that_disagree_are_both_left_out(self) -> None:
        page = parse(anchor() + anchor(href="/y") + anchor(text="foo_bar-2.0.zip"))
        assert [each.filename for each in page.files] == ["foo_bar-2.0.zip"]
        assert [str(each) for each in page.refused] == [
            "foo_bar-1.0.tar.gz: the page lists it more than once, with different data"
        ]

    @pytest.mark.parametrize(
        "fragment",
        [
            "sha256={}&egg=foo",
            "egg=foo&sha256={}",
            "sha256={};x",
            "subdirectory=y&sha256={}&md5=",
            "SHA256={}",
        ],
    )
    def test_a_fragment_that_says_more_than_a_digest(self, fragment: str) -> None:
        assert file(href="/x#" + fragment.format(DIGEST).replace("&", "&amp;")).sha256 == DIGEST

    @pytest.mark.parametrize(
        "text",
        [
            "foo_bar-1.0-py3-no..&gt;", "foo_bar-1.0-py3-non...", "foo_bar-1.0-py3…", "foo_bar…any.whl", "",
            "foo_bar-1.0...-any.whl", '<img src="/i.gif">',
        ],
    )  # fmt: skip
    def test_a_list_of_a_directory_cuts_names(self, text: str) -> None:
        """Apache's and nginx's lists have room for some twenty to fifty characters; addresses are whole."""
        name = "foo_bar-1.0-py3-none-any.whl"
        page = parse(
            "<html><h1>Index of /foo-bar</h1><a href='../'>../</a><a href='?C=M;O=A'>Last modified</a>"
            f'<a href="{name}">{text}</a>  2025-01-01  12K</html>'
        )
        assert [(each.filename, each.url) for each in page.files] == [(name, URL + name)]

    def test_an_address_that_is_quoted_names_the_file_unquoted(self) -> None:
        (only,) = parse(anchor(href="foo%20%C2%A9.zip", text="foo..&gt;")).files
        assert (only.filename, only.url) == ("foo ©.zip", URL + "foo%20%C2%A9.zip")

    @pytest.mark.slow
    def test_a_project_of_many_files(self) -> None:
        """Three tags and some 500 bytes each, as upstream writes them."""
        line = (
            '<a href="../../packages/{0:060d}/foo_bar-{0}-py3-none-any.whl#sha256={0:064d}" '
            'data-requires-python="&gt;=3.8" data-dist-info-metadata="sha256={0:064d}" '
            'data-core-metadata="sha256={0:064d}" data-provenance="/integrity/foo-bar/{0}/provenance">'
            "foo_bar-{0}-py3-none-any.whl</a><br />\n"
        )
        page = parse(
            HEAD + "</head><body>" + "".join(line.format(n) for n in range(30_000)) + "</body></html>"
        )
        assert (len(page.files), len(page.versions), page.refused) == (30_000, 30_000, ())

    @pytest.mark.parametrize(
        "body",
        [
            "<b>" * 400_001,
            "<a " + "x " * 250_000 + ">",
            "<!--" + "x" * 700_000,
            "<a href=x>" + "&a" * 900_000 + "</a>",
            f'<base href="https://index.example/{"x" * 3_000}">' + "<a href=x.whl></a>" * 9,
        ],
        ids=["tags", "attributes", "comment", "references", "base"],
    )
    def test_what_no_project_has(self, body: str) -> None:
        with pytest.raises(UpstreamMalformed):
            parse(body)

    @pytest.mark.parametrize("body", [HEAD + "</html>", "<html><h1>Links for foo-bar</h1></html>"])
    def test_a_project_without_files(self, body: str) -> None:
        assert parse(body).files == ()

    @pytest.mark.parametrize(
        "body",
        [
            "", "sorry", "<html><h1>We are having trouble</h1></html>",
            '<html><a href="/">Home</a><a href="/help/">Help</a></html>',
        ],
    )  # fmt: skip
    def test_an_error_page_is_none(self, body: str) -> None:
        with pytest.raises(UpstreamMalformed, match="not a project page"):
            parse(body)

    def test_one_that_was_cut_off_is_none(self) -> None:
        whole = f"{HEAD}</head><body>{anchor()[6:-7]}</body></html>"

        assert len(parse(whole).files) == 1
        with pytest.raises(UpstreamMalformed, match="cut off"):
            parse(whole[:-20])

    @pytest.mark.parametrize(
        "body",
        [
            HEAD.replace("1.4", "2.0") + "</html>",
            HEAD.replace("1.4", "new") + "</html>",
        ],
    )
    def test_what_breaks_the_protocol(self, body: str) -> None:
        with pytest.raises(UpstreamMalformed):
            parse(body)

    def test_a_status_that_is_none_costs_itself(self) -> None:
        page = parse(HEAD + '<meta name="pypi:project-status" content="<b>"></head>' + anchor()[6:])
        assert (page.status, len(page.files)) == (ProjectStatus(), 1)
        assert [(each.filename, each.field) for each in page.refused] == [(None, "project-status")]

    @pytest.mark.parametrize(
        ("attributes", "field"),
        [
            ('data-core-metadata="sha256=zz"', "core-metadata"),
            ('data-dist-info-metadata="sha256=00"', "core-metadata"),
            ('data-provenance="file:///x"', "provenance"),
            (f'data-requires-python="{"x" * 70_000}"', "requires-python"),
            (f'data-yanked="{"x" * 70_000}"', "yanked"),
        ],
    )
    def test_an_attribute_costs_itself(self, attributes: str, field: str) -> None:
        page = parse(anchor(attributes))
        assert [(each.filename, each.field) for each in page.refused] == [("foo_bar-1.0.tar.gz", field)]
        assert page.files[0].core_metadata is None
        assert page.files[0].yanked == ("x" * 65_536 if field == "yanked" else None)

    def test_a_digest_that_is_empty_costs_itself(self) -> None:
        assert file(href="/x#md5=").hashes == ()

    @pytest.mark.parametrize(
        ("href", "text"),
        [
            ("/x", "../x.whl"), ("/x", "a/b.whl"), ("/x", "x" * 300 + ".whl"), ("/x", "a\x01.whl"),
            ("/x", "a\u202e.whl"), ("https://[::1/x", "x.whl"), ("x..%2fy.whl", ""), ("%00.whl", "..&gt;"),
            ("file:///x", "x.whl"), ("http://index.example/x", "x.whl"), ("https://u:p@x.example/x", "x.whl"),
            ("https://x.example\\y", "x.whl"), ("/x#sha256=zz", "x.whl"), ("/x#sha256=ab", "x.whl"),
        ],
    )  # fmt: skip
    def test_an_unsafe_file_costs_itself(self, href: str, text: str) -> None:
        page = parse(anchor(href=href, text=text) + anchor())
        assert [each.filename for each in page.files] == ["foo_bar-1.0.tar.gz"]
        (refused,) = page.refused
        assert (refused.is_file, str(refused).isprintable()) == (True, True)

    def test_a_base_cannot_lead_away_from_https(self) -> None:
        page = parse('<html><base href="file:///etc/">' + anchor(href="x")[6:])
        assert (page.files, len(page.refused)) == ((), 1)

    @pytest.mark.parametrize("serial", ["9" * 5000, "-1", "x", str(2**63)])
    def test_a_comment_that_is_no_serial(self, serial: str) -> None:
        assert parse(f"{anchor()}<!--SERIAL {serial}-->", header_serial=9).serial == 9

    pieces = st.sampled_from(
        [
            "<a href=",
            "'",
            '"',
            ">",
            "</a>",
            "x.whl",
            "#sha256=",
            DIGEST,
            "<![",
            "<!--",
            "-->",
            "&#xD800;",
            "\0",
            "&#0;",
            "<meta name='pypi:repository-version' content='",
            "1.0",
            "<base href='",
            "data-yanked",
            "//[",
        ]
    )

    @given(st.binary() | st.lists(pieces).map(lambda parts: "".join(parts).encode()))
    @example(b"<![\x00")
    def test_anything_is_a_page_or_a_refusal(self, body: bytes) -> None:
        """Whatever else were raised would end the batch, not the project."""
        with suppress(UpstreamError):
            parse(body)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "piece",
        [
            "<a ", "<a", '<a x="', "<a x='y\" ", "<a x=", "<a x =", "<a href", "</a ", "</", "<", "<!",
            "<!-", "<!--", "<?", "<!DOCTYPE ", "<!--->", "<!--a--!", "<![CDATA[", "<script>",
            "<script></scrip", "<title></title ", "<div>", "<a><div>", "</p>", "<b><i>", "<table><a>", "x",
            " ", "&", "&#", "&a", "&#9", "&#x1", "<a>&", "<a>..", "<a href=..>", "<meta x ",
            "<base href=//[", "= ", "//", "<a/x/", '<a x=""', "-", "--",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize(
        ("before", "behind"), [("", ""), ("<a href=x>", "</a>"), ('<a href="', '">'), ("<a ", ">")]
    )
    def test_markup_of_no_sense_is_read_once(self, piece: str, before: str, behind: str) -> None:
        """Where a byte were looked at again for each one before it, these would take hours."""
        with suppress(UpstreamError):
            parse(before + piece * (300_000 // len(piece)) + behind)

    @pytest.mark.parametrize("piece", ["<div>", "<a><div>", "<b><i><u>", "<table><tr><td>", "<!---->"])
    def test_deep_nesting(self, piece: str) -> None:
        assert len(parse(piece * 20_000 + anchor()).files) == 1

    @pytest.mark.parametrize(
        ("body", "found"),
        [
            ("<A HREF=/x>F.whl</A>", [("F.whl", "/x")]),
            ("<a href=/x href=/y>f.whl</a>", [("f.whl", "/x")]),
            ("<a\n\thref\n=\n'/x'\n>\nf.whl\n</a\n>", [("f.whl", "/x")]),
            ('<a title="a > b"href="/x">f.whl</a>', [("f.whl", "/x")]),
            ("<a title=it's href=/x>f.whl</a>", [("f.whl", "/x")]),
            ("<a/href=/x/>f.whl</a>", [("f.whl", "/x/")]),
            ("<a = href=/x>f.whl</a>", [("f.whl", "/x")]),
            ("<a href=/x>f<b title='</a>'>.w</b>hl</a>", [("f.whl", "/x")]),
            ("<a href=/x>f<!-- </a> -->.whl</a>", [("f.whl", "/x")]),
            ("<a href=/x>a.whl<a href=/y>b.whl", [("a.whl", "/x"), ("b.whl", "/y")]),
            ("<a href=/x>a.whl</abbr></a><abbr href=/y>b.whl</abbr>", [("a.whl", "/x")]),
            ("<!-- <a href=/x>a.whl</a> --><a href=/y>b.whl</a>", [("b.whl", "/y")]),
            ("<!--><a href=/x>a.whl</a><!-- -->", [("a.whl", "/x")]),
            ("<script>'<a href=/x>a.whl</a>'</script><a href=/y>b.whl</a>", [("b.whl", "/y")]),
            ("<title><a href=/x>a.whl</a></TITLE><a href=/y>b.whl</a>", [("b.whl", "/y")]),
            ("<scripted><a href=/x>a.whl</a>", [("a.whl", "/x")]),
            ("<a href=/x>a.whl</a><a href='/y>b.whl</a>", [("a.whl", "/x")]),
            ("1 < 2 <a href=/x>a.whl</a>", [("a.whl", "/x")]),
            ("<a href='/x?a=1&copy=2&amp;b'>a.whl</a>", [("a.whl", "/x?a=1&copy=2&b")]),
            ("<a href='&#47;x'>a&#x2e;whl</a>", [("a.whl", "/x")]),
            ("<a href=/x>&eacute;&copy.whl</a>", [("é©.whl", "/x")]),
            (f"<a href=/x>a.whl</a><a href=/y>&#{'9' * 5_000};b.whl</a>", [("a.whl", "/x"), ("�b.whl", "/y")]),  # noqa: E501
        ],
    )  # fmt: skip
    def test_links_as_browsers_read_them(self, body: str, found: list[tuple[str, str]]) -> None:
        page = parse(f"<h1>Links for foo-bar</h1>{body}")
        assert [(each.filename, each.url) for each in page.files] == [
            (name, f"https://index.example{path}") for name, path in found
        ]


class TestRootIndex:
    @pytest.mark.parametrize(
        "href", ["foo-bar/", "/simple/foo-bar/", "http://proxied.example/simple/foo-bar/"]
    )
    def test_projects_below_the_index(self, href: str) -> None:
        assert names(f'<html><a href="{href}">Foo.Bar</a></html>') == ["Foo.Bar"]

    def test_has_no_serials(self) -> None:
        serial, entries = parse_root_index(b'<a href="a/">A</a>', url=ROOT)

        assert (serial, [(entry.project, entry.serial) for entry in entries]) == (None, [("a", None)])

    def test_links_to_elsewhere_are_no_projects(self) -> None:
        """An error page with status 200 must not be taken for an index of the projects Home and Help."""
        page = (
            '<a href="/">Home</a><a href="/help/">Help</a><a href="/simple/">Index</a><a href="../x/">X</a>'
        )
        assert names(page) == []

    @pytest.mark.parametrize(
        ("base", "href"),
        [
            ("", "foo/"), ("", "foo"), ("", "./foo/"), ("", "../simple/foo/"), ("", "/simple/foo/?x#y"),
            ("<base href='/simple/'>", "foo/"), ("<base href='https://index.example/'>", "simple/foo/"),
            ("<base href='/other/'>", "/simple/foo/"), ("", "//proxied.example/simple/foo"),
        ],
    )  # fmt: skip
    def test_an_address_in_any_spelling(self, base: str, href: str) -> None:
        assert names(f"<html>{base}<a href='{href}'>foo</a></html>") == ["foo"]

    @pytest.mark.parametrize(
        "href", ["", "?C=M", "../", "/", "..", "https://x.example", "/simple", "mailto:x"]
    )
    def test_an_address_that_is_of_no_project(self, href: str) -> None:
        assert names(f"<html><a href='{href}'>foo</a></html>") == []

    @pytest.mark.slow
    def test_as_many_projects_as_upstream_has(self) -> None:
        lines = "".join(f'<a href="/simple/p-{n}/">p-{n}</a><br/>\n' for n in range(730_000))
        _, entries = parse_root_index(f"<html>{lines}</html>".encode(), url=ROOT)
        assert next(entries).name == "p-0"

    def test_many_more_are_refused(self) -> None:
        with pytest.raises(UpstreamMalformed, match="more tags"):
            names("<a href=x>x</a>" * 4_000_000)

    def test_an_impossible_name_does_not_keep_the_others_away(self) -> None:
        assert names('<a href="a/">a</a><a href="b/">../b</a><a href="c/">c</a>') == ["a", "c"]

    @pytest.mark.parametrize("body", [HEAD.replace("1.4", "2.0") + "</html>", "<html><a href='a/'>a</a>"])
    def test_what_is_refused(self, body: str) -> None:
        with pytest.raises(UpstreamMalformed):
            names(body)
