"""The probe passes on a good site, and finds each kind of fault, with the address and what came."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from packaging.utils import canonicalize_name

from pypi_mirror.errors import WebServerError
from pypi_mirror.webserver.probe import Sample, probe
from pypi_mirror.webserver.reload import write_site
from pypi_mirror.webserver.render import site_config_path
from tests.nginx_process import NginxProcess
from tests.webserver.sites import BINARIES, FILE, PROJECT, SAMPLE, build_tree, page_directory, settings_for

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("nginx", BINARIES)
@pytest.mark.parametrize("simple_format", ["ALL", "HTML", "JSON"])
@pytest.mark.parametrize("hash_index", [False, True], ids=["flat", "hash-index"])
def test_a_good_site_passes(nginx: str, simple_format: str, hash_index: bool, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, nginx=nginx, simple_format=simple_format, hash_index=hash_index)
    build_tree(settings)
    with NginxProcess(settings):
        checked = probe(settings, SAMPLE)
        without = probe(settings, None)
    assert f"/simple/{PROJECT} redirects to /simple/{PROJECT}/" in checked
    assert "/simple/Zope.Interface/ is /simple/zope-interface/" in checked
    assert f"a range of /{FILE}" in checked
    assert f"/{FILE}.metadata" in checked
    assert f"/{FILE}.provenance" in checked
    assert ("/simple/ as application/vnd.pypi.simple.v1+json" in checked) == (simple_format != "HTML")
    assert ("/simple/ as text/html" in checked) == (simple_format != "JSON")
    assert set(without) < set(checked)


def _edit(pattern: str, replacement: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        edited, count = re.subn(pattern, replacement, text)
        assert count, f"{pattern} is not in the configuration: this fault would not be one"
        return edited

    return edit


FAULTS = {
    "json as text": (
        _edit(r'default_type "application/vnd.pypi.simple.v1\+json"', "default_type text/plain"),
        r"Accept: application/vnd\.pypi.*expected Content-Type application/vnd.*'text/plain'",
    ),
    "no negotiation": (_edit(r"/@\$mirror_format/", "/@html/"), r"expected Content-Type application/vnd"),
    "html for v1+html": (
        _edit(
            r'default_type "application/vnd.pypi.simple.v1\+html"', 'default_type "text/html; charset=utf-8"'
        ),
        r"expected Content-Type application/vnd\.pypi\.simple\.v1\+html",
    ),
    "no vary": (_edit(r'add_header Vary "[^"]*";', ""), "expected one Vary header with accept"),
    "vary twice": (
        _edit(r'add_header Vary "[^"]*";', "add_header Vary Accept; add_header Vary Accept-Encoding;"),
        "expected one Vary header",
    ),
    "no etag": (_edit("sendfile on;", "sendfile on; etag off;"), "expected ETag to be strong, got None"),
    "weak etag": (
        _edit(r"(location \^~ /@html/ \{)", r'\1 etag off; add_header ETag "W/\\"1\\"";'),
        "expected ETag to be strong",
    ),
    "wrong page": (
        _edit(
            r'(?<=location \^~ /@json/ \{\n        internal;\n        alias ")([^"]*)/simple/', r"\1/other/"
        ),
        r"expected the status 200, got 404",
    ),
    "no ranges": (
        _edit("max_ranges 16;", "max_ranges 0;"),
        r"Range: bytes=.*expected the status 206, got 200",
    ),
    "short-lived files": (
        _edit("max-age=365000000, immutable, public", "max-age=60"),
        "expected Cache-Control",
    ),
    "no redirects": (
        _edit(r'return 301 "/pypi/simple/\$mirror_normalized/[^;]*;', "return 404;"),
        "expected the status 301, got 404",
    ),
    "one spelling only": (
        _edit(r"\(\?<mirror_name>", "(?<mirror_name>(?!zope)"),
        r"expected the status 200, got 404",
    ),
    "redirect astray": (
        _edit(r'return 301 "/pypi/simple/\$mirror_normalized/', 'return 301 "/pypi/$mirror_normalized/'),
        "expected Location to lead to",
    ),
    "absolute redirect": (
        _edit(r'return 301 "/pypi/simple/\$is_args', 'return 301 "http://localhost/pypi/simple/$is_args'),
        "expected Location to lead to",
    ),
    "relative redirect": (
        _edit(r'return 301 "/pypi/simple/\$is_args', 'return 301 "simple/$is_args'),
        "expected Location to lead to",
    ),
    "every method": (_edit(r"return 405;\n", "return 204;\n"), r"POST .*expected"),
    "405 without allow": (
        _edit(r'add_header Allow "GET, HEAD" always;', ""),
        "expected Allow GET, HEAD, got None",
    ),
    "404 as html": (
        _edit(r"error_page 404 @not_found;", ""),
        r"there-is-no-such.*expected Content-Type text/plain; charset=utf-8, got 'text/html'",
    ),
}


@pytest.mark.parametrize(("fault", "complaint"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("nginx", BINARIES)
def test_each_fault_of_the_configuration_is_found(
    nginx: str, fault: Callable[[str], str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(tmp_path, nginx=nginx)
    build_tree(settings)
    write_site(settings)
    path = site_config_path(settings)
    path.write_text(fault(path.read_text()))
    monkeypatch.setattr("pypi_mirror.webserver.server.write_site", lambda settings, runtime: None)
    with NginxProcess(settings), pytest.raises(WebServerError, match=complaint) as caught:
        probe(settings, SAMPLE, patience=0.3)
    assert f"127.0.0.1:{settings.site.port}/pypi/" in str(caught.value)


def test_other_bytes_than_those_on_disk_are_found(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "mirror")
    build_tree(settings)
    with NginxProcess(settings):
        elsewhere = dataclasses.replace(
            settings,
            directory=tmp_path / "other",
            site=dataclasses.replace(settings.site, config=site_config_path(settings)),
        )
        build_tree(elsewhere)
        page = page_directory(elsewhere) / "index.v1_json"
        page.write_bytes(b"x" + page.read_bytes()[1:])
        with pytest.raises(
            WebServerError, match=r"expected the bytes of .*v1_json, got others, from byte 0 on"
        ):
            probe(elsewhere, SAMPLE)
        page.write_bytes((page_directory(settings) / "index.v1_json").read_bytes() + b"more")
        with pytest.raises(WebServerError, match=r"v1_json, got only the first \d+"):
            probe(elsewhere, SAMPLE)
        page.write_bytes((page_directory(settings) / "index.v1_json").read_bytes())
        file = elsewhere.web / FILE
        file.write_bytes(bytes(len(file.read_bytes())))
        with pytest.raises(WebServerError, match="bytes from the middle of"):
            probe(elsewhere, SAMPLE)


def test_a_page_that_is_not_there_is_found(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    build_tree(settings)
    with NginxProcess(settings):
        with pytest.raises(WebServerError, match=r"/simple/other/ .*expected the status 200, got 404"):
            probe(settings, Sample(project=canonicalize_name("other")))
        with pytest.raises(WebServerError, match=r"no-such-file\.whl: the probe expected it on disk"):
            probe(settings, msgspec.structs.replace(SAMPLE, file="packages/no-such-file.whl"))


def test_a_server_with_another_configuration_is_waited_for_and_then_named(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    build_tree(settings)
    with (
        NginxProcess(settings),
        pytest.raises(
            WebServerError, match=r"X-Mirror-Config: 0123456789abcdef\), but X-Mirror-Config is [0-9a-f]{16}"
        ),
    ):
        probe(settings, None, fingerprint="0123456789abcdef", patience=0.3)


def test_nobody_answers(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    build_tree(settings)
    write_site(settings)
    with pytest.raises(WebServerError, match="Connection refused"):
        probe(settings, None, patience=0.2)


def test_without_a_configuration_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    with pytest.raises(WebServerError, match="render the site's configuration first"):
        probe(settings_for(tmp_path), None)


def test_another_address_can_be_probed(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    build_tree(settings)
    with NginxProcess(settings):
        elsewhere = dataclasses.replace(
            settings,
            site=dataclasses.replace(
                settings.site,
                listen=("192.0.2.1",),
                probe_url=f"http://127.0.0.1:{settings.site.port}/pypi",
                config=site_config_path(settings),
            ),
        )
        assert probe(elsewhere, None)
