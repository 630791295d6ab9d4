"""Lines of ``packages``: names, patterns, versions, extras, markers."""

import pytest

from pypi_mirror.options import BadValue
from pypi_mirror.options.packages import format_package, parse_blocked_package, parse_package


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        ("Foo.Bar", "foo-bar"),
        ("foo>=1, <2", "foo<2,>=1"),
        ("foo==1.*", "foo==1.*"),
        ("foo[b, A_a]>=1", "foo[a-a,b]>=1"),
        ("foo; os_name == 'nt'", 'foo; os_name == "nt"'),
        ("Apache_Airflow*", "apache-airflow*"),
        ("apache-airflow-providers-*>=2", "apache-airflow-providers-*>=2"),
        ("*-stubs ; python_version < '3.12'", '*-stubs; python_version < "3.12"'),
        ("foo-?", "foo-?"),
    ],
)
def test_what_a_line_means(text: str, formatted: str) -> None:
    rule = parse_package(text)
    assert format_package(rule) == formatted
    assert parse_package(formatted) == rule
    assert rule.is_pattern is (formatted.partition("==")[0].count("*") + formatted.count("?") > 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo, bar", "is more than one project; write one a line"),
        ("foo bar", "is more than one project; write one a line"),
        ("foo-* bar", "is more than one project"),
        ("foo[a,b], bar", "is more than one project"),
        ("foo=6", "has a single = before its version; write =="),
        ("foo-* = 6", "has a single = before its version; write =="),
        ("foo==", "lacks a version; write one, or the name alone"),
        ("foo>=1,<", "lacks a version"),
        ("foo>=; os_name == 'nt'", "lacks a version"),
        ("foo >1 <2", "lacks a comma between its versions"),
        ("foo   ; the http library", "has no condition like .* after its semicolon; a comment begins with #"),
        ("foo; os_name = 'nt'", "has no condition like "),
        ("-r req.txt", "is an option of pip; .allowlist. requirements names requirement files"),
        ("https://files.example/foo.whl", "is an address or a path; write the project's name"),
        ("git+https://git.example/foo", "is an address or a path"),
        ("./foo", "is an address or a path"),
        ("foo>>2", "is not a project name, nor one with versions like example>=1.4,<2"),
        ("==", "is not a project name"),
        ("foo @ https://files.example/foo.whl", "a URL selects nothing here"),
        ("*", "matches every project; write a part of their names too"),
        ("*-*", "matches every project"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(BadValue, match=message) as caught:
        parse_package(text)
    assert "Expected" not in str(caught.value), "the words of a parser"


@pytest.mark.parametrize("text", ["foo[extra]", "foo; os_name == 'nt'"])
def test_nothing_is_blocked_for_some(text: str) -> None:
    with pytest.raises(BadValue, match="extras and markers block nothing"):
        parse_blocked_package(text)
