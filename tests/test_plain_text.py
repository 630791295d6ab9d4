"""What people are shown of addresses and of upstream's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.errors import UpstreamError
from pypi_mirror.plain_text import LONGEST, plain, without_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://me:hunter2@db.example/x", "postgresql+psycopg://me:***@db.example/x"),
        ("postgresql+psycopg://u@db/x?password=hunter2", "postgresql+psycopg://***@db/x?password=***"),
        ("postgresql+psycopg:///x?sslpassword=hunter2&sslmode=require", None),
        ("postgresql+psycopg:///x?pass%77ord=hunter2", "postgresql+psycopg:///x?pass%77ord=***"),
        ("postgresql+psycopg:///x?PASSWORD=hunter2", "postgresql+psycopg:///x?PASSWORD=***"),
        ("postgresql+psycopg:///x?user=a&passwd=hunter2", "postgresql+psycopg:///x?user=a&passwd=***"),
        ("postgresql+psycopg:///x?hunter2", "postgresql+psycopg:///x?***"),
        ("postgresql+psycopg://me:hunt@er2@db/x", "postgresql+psycopg://me:***@db/x"),
        ("postgresql+psycopg://me:hunt/er2@db/x", "postgresql+psycopg://me:***@db/x"),
        ("postgresql+psycopg://me:hunt?er2@db/x", "postgresql+psycopg://me:***@db/x"),
        ("postgresql+psycopg://me:hunt#er2@db/x", "postgresql+psycopg://me:***@db/x"),
        ("http://hunter2@proxy.example:3128", "http://***@proxy.example:3128"),
        ("me:hunter2@proxy.example:3128", "me:***@proxy.example:3128"),
        ("socks5://:hunter2@proxy.example", "socks5://:***@proxy.example"),
        ("https://files.example/a.whl?X-Signature=hunter2", "https://files.example/a.whl?X-Signature=***"),
        ("https://files.example/a.whl#hunter2", "https://files.example/a.whl#***"),
        ("git+https://git.example/foo.git#egg=foo", "git+https://git.example/foo.git#egg=foo"),
        ("https://git.example/foo.git#egg=foo&token=hunter2", "https://git.example/foo.git#***"),
        ("sqlite:////srv/a@b/ledger.sqlite", "sqlite:////srv/a@b/ledger.sqlite"),
        ("https://index.example/simple/", "https://index.example/simple/"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str | None) -> None:
    assert "hunter2" not in without_secrets(url)
    assert "er2" not in without_secrets(url)
    if shown is not None:
        assert without_secrets(url) == shown
    assert without_secrets(without_secrets(url)) == without_secrets(url)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, >=3.8,<4 of (1 < 2)", "plain words, >=3.8,<4 of (1 < 2)"),
        ("\x1b[31mred\x07", " [31mred "),
        ("two\r\nlines\tand\x85more\u2028", "two  lines and more "),
        ("a\u202eb\u2066c\u200bd\u00ade", "abcde"),
        ("<!channel> <@U1> <https://evil.example|here>", "‹!channel> ‹(at)U1> ‹https://evil.example|here>"),
        ("@everyone, (@here) @channel", "(at)everyone, ((at)here) (at)channel"),
        ("mail to a@b.example", "mail to a@b.example"),
        ("</script>", "‹/script>"),
        ("naïve 名前 😀", "naïve 名前 😀"),
    ],
)
def test_words_of_upstream_stay_words(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text(max_size=LONGEST * 2))
def test_no_text_brings_more_than_visible_characters(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    assert len(shown) <= 4 * LONGEST
    assert "<!" not in shown
    assert "<@" not in shown


def test_an_error_of_upstream_is_plain() -> None:
    error = UpstreamError(
        "<!channel> \x1b[2J says\nso", url="https://me:hunter2@index.example/?token=hunter2"
    )
    assert str(error) == "https://me:***@index.example/?token=***: ‹!channel>  [2J says so"
