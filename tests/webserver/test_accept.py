"""The Accept header: nginx's maps choose what RFC 9110 and the reference implementation choose."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.webserver.maps import negotiation
from tests.webserver.map_evaluator import evaluate
from tests.webserver.negotiator import negotiate
from tests.webserver.sites import BINARIES, PROJECT, LiveSite, serving, settings_for

JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
FORMAT_OF = {JSON: "json", V1_HTML: "v1html", "text/html; charset=utf-8": "html"}

# What clients send, and what a careless server gets wrong.
TABLE: list[tuple[str | None, str]] = [
    (None, "html"),
    ("", "html"),
    # pip, uv, pip's old HTML-only versions, PEP 691's example
    (f"{JSON}, {V1_HTML}; q=0.1, text/html; q=0.01", "json"),
    (f"{JSON}, {V1_HTML};q=0.2, text/html;q=0.01", "json"),
    ("text/html", "html"),
    (f"{JSON}", "json"),
    (f"{V1_HTML}", "v1html"),
    (f"{V1_HTML}, text/html;q=0.5", "v1html"),
    # curl, requests, wget; browsers
    ("*/*", "html"),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", "html"),
    (
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8,application/signed-exchange;v=b3",
        "html",
    ),
    # q decides, not the order and not the length of the number
    (f"{JSON};q=0.1, text/html;q=0.2", "html"),
    (f"{JSON};q=0.09, text/html;q=0.1", "html"),
    (f"{JSON};q=0.5, text/html;q=0.50", "json"),
    (f"{JSON};q=0.501, text/html;q=0.5", "json"),
    (f"{JSON};q=0.5, text/html", "html"),
    (f"text/html;q=0.3, {JSON};q=0.31", "json"),
    (f"text/html;q=0.999, {JSON};q=1", "json"),
    (f"text/html;q=1.000, {JSON};q=0.999", "html"),
    (f"{V1_HTML};q=0.7, text/html;q=0.8, {JSON};q=0.6", "html"),
    (f"{V1_HTML};q=0.8, text/html;q=0.7, {JSON};q=0.75", "v1html"),
    # q=0 means never, and the more specific element has the last word
    (f"{JSON};q=0", "html"),
    (f"{JSON};q=0.000, */*", "html"),
    (f"{JSON};q=0, {V1_HTML}", "v1html"),
    (f"*/*;q=0.1, {JSON};q=0", "html"),
    (f"text/html;q=0, {JSON};q=0.001", "json"),
    ("text/html;q=0, */*", "v1html"),
    ("text/*;q=0, application/*;q=0.5", "v1html"),
    (f"application/*;q=0.9, {JSON};q=0.2, text/html;q=0.5", "v1html"),
    (f"{JSON};q=0.5, */*;q=0.5", "json"),
    (f"{JSON}, */*", "json"),
    (f"{JSON};q=0.4, */*;q=0.8", "html"),
    # nothing of ours: upstream answers in HTML
    ("application/xml", "html"),
    ("application/json", "html"),
    ("*/*;q=0", "html"),
    # the same type under other spellings
    ("application/vnd.pypi.simple.latest+json", "json"),
    ("application/vnd.pypi.simple.latest+html", "v1html"),
    ("Application/VND.PyPI.Simple.V1+JSON", "json"),
    (f"text/html ; q=0.2 ,\t{JSON}\t;\tQ=0.3", "json"),
    # types that merely look like ours
    ("application/vnd.pypi.simple.v2+json", "html"),
    ("application/vnd.pypi.simple.v1+jsonp", "html"),
    ("xapplication/vnd.pypi.simple.v1+json", "html"),
    ("application/vndxpypixsimplexv1+json", "html"),
    # parameters before and after the weight, with commas and semicolons in quotes
    (f'{JSON};version="1,0;q=0"; q=0.8;ext=x, text/html;q=0.7', "json"),
    (f'text/html;note="{JSON}", application/xml', "html"),
    (f'application/xml;note=",{JSON},"', "html"),
    # malformed weights void their element, not the others
    (f"{JSON};q=2, text/html;q=0.1", "html"),
    (f"{JSON};q=high, text/html;q=0.1", "html"),
    (f"{JSON};q=-1", "html"),
    (f"{JSON};q=0.1234, {V1_HTML};q=0.01", "v1html"),
    (f"{JSON};q=0.3;q=0.9, {V1_HTML};q=0.1", "v1html"),
    (",,, ", "html"),
    (f",,{JSON},,", "json"),
]


@pytest.mark.parametrize(("accept", "expected"), TABLE)
def test_the_reference_chooses_what_the_table_says(accept: str | None, expected: str) -> None:
    assert negotiate(accept) == expected


@pytest.mark.parametrize(("accept", "expected"), TABLE)
def test_the_maps_choose_what_the_table_says(accept: str | None, expected: str) -> None:
    values = evaluate(negotiation("ALL"), {"http_accept": accept or ""})
    assert values["mirror_format"] == expected
    assert values["mirror_page"] == ("index.v1_json" if expected == "json" else "index.html")


_WEIGHTS = st.sampled_from(
    ["", ";q=0", ";q=0.0", ";q=0.1", "; q=0.10", ";q=0.11", ";q=0.9", ";q=1", ";q=1.0", ";q=5"]
)
_RANGES = st.sampled_from(
    [JSON, V1_HTML, "text/html", "application/*", "text/*", "*/*", "image/png", 'a/b;c="d,e"']
)
_HEADERS = st.lists(st.tuples(_RANGES, _WEIGHTS).map("".join), max_size=6).map(", ".join)


@given(_HEADERS)
def test_the_maps_agree_with_the_reference_on_any_header(accept: str) -> None:
    assert evaluate(negotiation("ALL"), {"http_accept": accept})["mirror_format"] == negotiate(accept)


@given(_HEADERS)
def test_without_json_the_choice_is_between_the_html_types(accept: str) -> None:
    chosen = evaluate(negotiation("HTML"), {"http_accept": accept})["mirror_format"]
    assert chosen == negotiate(accept, ("v1html", "html"))


def test_with_json_alone_there_is_no_choice() -> None:
    assert negotiation("JSON") == ()


def test_no_pattern_can_match_beyond_a_line_end() -> None:
    patterns = [rule.pattern for one in negotiation("ALL") for rule in one.rules if not rule.exact]
    assert not [pattern for pattern in patterns if re.search(r"(?<!\\)\$", pattern)]


@pytest.mark.servers
@pytest.mark.parametrize("nginx", BINARIES)
def test_nginx_chooses_what_the_table_says(nginx: str, tmp_path: Path) -> None:
    with serving(settings_for(tmp_path, nginx=nginx)) as site:
        wrong = {accept: got for accept, expected in TABLE if (got := _format(site, accept)) != expected}
    assert wrong == {}


@pytest.mark.servers
@pytest.mark.parametrize("nginx", BINARIES)
def test_a_hostile_header_is_answered_at_once_with_html(nginx: str, tmp_path: Path) -> None:
    with serving(settings_for(tmp_path, nginx=nginx)) as site:
        # 7,000 bytes that a backtracking pattern would try to split in every way.
        assert _format(site, '";' * 3500) == "html"
        assert _format(site, 'a/b;c="x",' * 700 + JSON) == "json"
        assert "PCRE" not in site.nginx.runtime.error_log.read_text().upper()


def _format(site: LiveSite, accept: str | None) -> str:
    headers = {} if accept is None else {"Accept": accept}
    return FORMAT_OF[site.get(f"/simple/{PROJECT}/", **headers).header("Content-Type") or ""]
