"""The configuration as text: golden files, and what its fingerprint depends on."""

import dataclasses
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from pypi_mirror.errors import ConfigurationError
from pypi_mirror.settings.values import Settings, Site
from pypi_mirror.webserver.name_map import NameMap
from pypi_mirror.webserver.nginx_binary import Capabilities
from pypi_mirror.webserver.render import (
    RenderedSite,
    Runtime,
    default_runtime,
    name_map_path,
    render,
    render_main,
    site_config_path,
)
from tests.golden import assert_golden

GOLDEN = Path(__file__).with_name("golden")

SETTINGS = Settings(path=Path("mirror.conf"), directory=Path("/srv/mirror"), master="https://index.example")
FULL = Capabilities(version=(1, 22, 1), gzip_static=True)
PLAIN = Capabilities(version=(1, 31, 3), gzip_static=False)
NAMES = NameMap(path=name_map_path(SETTINGS), lines=300_000, digest=b"digest")


def rendered(
    settings: Settings = SETTINGS, *, can: Capabilities = FULL, names: NameMap = NAMES
) -> RenderedSite:
    return render(settings, capabilities=can, names=names)


def changed(settings: Settings = SETTINGS, **site: object) -> Settings:
    return dataclasses.replace(settings, site=dataclasses.replace(settings.site, **site))  # type: ignore[arg-type]


def server_block(site: RenderedSite) -> str:
    """The fingerprint changes with every comma of the text: left out, so that a diff shows what changed."""
    return re.sub(r"X-Mirror-Config [0-9a-f]{16}", "X-Mirror-Config FINGERPRINT", site.text)


def test_the_default_site_is_the_golden_one() -> None:
    assert_golden(GOLDEN / "default.conf", server_block(rendered()).encode())


def test_html_alone_at_the_root_with_hash_index_and_no_gzip_static() -> None:
    settings = dataclasses.replace(changed(prefix=""), simple_format="HTML", hash_index=True)
    assert_golden(GOLDEN / "html_hash_index_root.conf", server_block(rendered(settings, can=PLAIN)).encode())


def test_json_alone() -> None:
    assert_golden(
        GOLDEN / "json.conf",
        server_block(rendered(dataclasses.replace(SETTINGS, simple_format="JSON"))).encode(),
    )


def test_the_main_file_is_the_golden_one() -> None:
    runtime = Runtime(folder=Path("/srv/mirror/nginx"))
    assert_golden(
        GOLDEN / "nginx.conf", render_main(SETTINGS, runtime, site=site_config_path(SETTINGS)).encode()
    )


def test_root_is_said_in_the_main_file() -> None:
    main = render_main(SETTINGS, default_runtime(SETTINGS), site=Path("/x.conf"), user="root wheel")
    assert "\nuser root wheel;\n" in main


def test_every_answer_shows_the_fingerprint() -> None:
    site = rendered()
    shown = re.findall(r"X-Mirror-Config (\S+) always;", site.text)
    assert set(shown) == {site.fingerprint}
    assert re.fullmatch(r"[0-9a-f]{16}", site.fingerprint)


@pytest.mark.parametrize(
    "other",
    [
        rendered(changed(port=8081)),
        rendered(changed(page_max_age=61)),
        rendered(can=PLAIN),
        rendered(names=replace(NAMES, digest=b"other")),
    ],
    ids=["port", "max-age", "capabilities", "names"],
)
def test_the_fingerprint_changes_with_the_text_and_with_the_names(other: RenderedSite) -> None:
    assert other.fingerprint != rendered().fingerprint


def test_rendering_is_repeatable() -> None:
    assert rendered() == rendered()


def test_the_hash_table_grows_with_the_names() -> None:
    assert "map_hash_max_size 300000;" in rendered().text
    assert "map_hash_max_size 2048;" in rendered(names=replace(NAMES, lines=1)).text


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (changed(host="a;b"), r"\[site\] host"),
        (changed(listen=("a b",)), r"\[site\] listen"),
        (changed(port=0), r"\[site\] port"),
        (changed(prefix='/"'), r"\[site\] prefix"),
        (changed(page_max_age=-1), r"\[site\] page-max-age"),
        (dataclasses.replace(SETTINGS, directory=Path("/srv/$mirror")), r"\[mirror\] directory"),
        (dataclasses.replace(SETTINGS, directory=Path("/srv/mir\nror")), r"\[mirror\] directory"),
    ],
)
def test_what_cannot_be_rendered_is_refused_by_its_key(settings: Settings, key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^mirror.conf: {key}: "):
        rendered(settings)


def test_a_path_of_the_site_file_that_nginx_cannot_write_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"\[site\] config"):
        render_main(SETTINGS, default_runtime(SETTINGS), site=Path("/etc/$x.conf"))


def test_where_things_are() -> None:
    assert site_config_path(SETTINGS) == Path("/srv/mirror/nginx/pypi-mirror.conf")
    assert site_config_path(changed(config=Path("/etc/nginx/x.conf"))) == Path("/etc/nginx/x.conf")
    assert Site().config is None
