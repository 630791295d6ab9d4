"""requirements.txt, as pip reads it."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.demands import BadDemands, Demands, read_demands, requirements_txt

LOCKS = Path(__file__).parent / "locks"
DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
MAIN = Path("requirements.txt")


def read(text: str, environ: Mapping[str, str] | None = None) -> Demands:
    return requirements_txt.read(MAIN, lambda _: text, environ or {})


def wanted(found: Demands) -> list[str]:
    return [f"{demand.project}{demand.specifier}" for demand in found.demands]


def mistakes(path: Path) -> tuple[str, ...]:
    with pytest.raises(BadDemands) as caught:
        read_demands(path, {})
    return caught.value.mistakes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Foo.Bar", ["foo-bar"]),
        ("foo >= 1.0 , < 2", ["foo<2,>=1.0"]),
        ("foo==1.0 # a comment\n# another\n\n  bar", ["foo==1.0", "bar"]),
        ("foo#bar==1", []),
        ("foo>=1\\\n,<2", ["foo<2,>=1"]),
        ("foo \\\n# a comment in between\nbar", ["foo", "bar"]),
        ("foo \\\n    --hash=sha256:" + "a" * 64, ["foo"]),
        ("foo\\", ["foo"]),
        ("foo (>=1)", ["foo>=1"]),
        ("\ufefffoo", ["foo"]),
    ],
)
def test_lines(text: str, expected: list[str], tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(text, encoding="utf-8")
    if not expected:
        assert ":1: 'foo#bar==1' is not a requirement (PEP 508)" in mistakes(path)[0]
    else:
        assert wanted(read_demands(path, {})) == expected


def test_extras_markers_hashes_and_places() -> None:
    found = read(
        "\n"
        "foo[B,A_a] == 1.0 ; python_version < '3.12' \\\n"
        f"    --hash=sha256:{'A' * 64} --hash {OTHER}\n"
        "bar\n"
    )
    first, second = found.demands
    assert (first.extras, first.marker) == (("a-a", "b"), 'python_version < "3.12"')
    assert first.hashes == (DIGEST, OTHER)
    assert (first.place, second.place) == ("requirements.txt:2", "requirements.txt:4")
    assert not first.locked


def test_variables_of_the_environment() -> None:
    assert wanted(read("foo==${FOO_VERSION}", {"FOO_VERSION": "1.5"})) == ["foo==1.5"]
    with pytest.raises(BadDemands, match=r":1: 'foo==\$\{NONE\}' is not a requirement"):
        read("foo==${NONE}", {})


def test_secrets_are_not_shown() -> None:
    found = read(
        "--index-url https://user:${TOKEN}@index.example/simple\n"
        "--extra-index-url https://user:s3cret@index.example/simple\n"
        "foo @ https://user:s3cret@files.example/foo.whl#sha256=1\n",
        {"TOKEN": "s3cret"},
    )
    with pytest.raises(BadDemands) as caught:
        read("foo bar ${TOKEN}", {"TOKEN": "s3cret"})
    said = "\n".join(map(str, (*found.ignored, *found.unserved, caught.value)))
    assert "s3cret" not in said
    assert "https://user:***@index.example/simple" in said


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("git+https://git.example/foo@main#egg=foo", "version control"),
        ("foo @ git+ssh://git@git.example/foo", "version control"),
        ("-e git+https://git.example/foo#egg=foo", "version control"),
        ("https://files.example/foo-1.0.tar.gz", "direct URL"),
        ("foo @ https://files.example/foo-1.0.tar.gz", "direct URL"),
        ("foo @ file:///srv/foo-1.0.tar.gz", "local path"),
        ("file:///srv/foo", "local path"),
        ("-e .", "local path"),
        ("--editable=./foo[dev]", "local path"),
        (".", "local path"),
        ("./foo", "local path"),
        ("../foo ; python_version < '3'", "local path"),
        ("dir/foo-1.0-py3-none-any.whl", "local path"),
        ("foo-1.0.tar.gz", "local path"),
        ("-r https://files.example/more.txt", "from the disk only"),
    ],
)
def test_what_no_index_serves_is_named(line: str, reason: str) -> None:
    found = read(f"bar\n{line}\n")
    assert wanted(found) == ["bar"]
    assert [(remark.place, reason in remark.reason) for remark in found.unserved] == [
        ("requirements.txt:2", True)
    ]


@pytest.mark.parametrize(
    "line",
    [
        "-i https://index.example/simple",
        "--index-url=https://index.example/simple",
        "--pypi-url https://index.example/simple",
        "--extra-index-url https://index.example/simple --trusted-host index.example",
        "-f wheels",
        "--no-index",
        "--pre",
        "--require-hashes",
        "--no-binary :all:",
        "--only-binary=:all:",
        "--use-feature fast-deps",
        f"--hash={DIGEST}",
    ],
)
def test_options_that_decide_nothing(line: str) -> None:
    found = read(f"{line}\nbar")
    assert wanted(found) == ["bar"]
    assert {(remark.place, remark.text) for remark in found.ignored} == {("requirements.txt:1", line)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo bar", ":1: 'foo bar' is not a requirement (PEP 508): it is more than one project"),
        ("foo=>1", ":1: 'foo=>1' is not a requirement"),
        ("--unknown", ":1: '--unknown' is not a line that pip reads: no such option: --unknown"),
        ("-r", ":1: '-r' is not a line that pip reads"),
        ("foo --hash=md5:1", ":1: --hash=md5:1 is not a digest that pip accepts"),
        ("foo --config-settings 'a", ':1: "foo --config-settings \'a" is not a line that pip reads'),
    ],
)
def test_bad_lines(text: str, message: str) -> None:
    with pytest.raises(BadDemands) as caught:
        read(text)
    assert message in caught.value.mistakes[0]


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(BadDemands) as caught:
        read("foo bar\nok\nfoo=>1")
    assert [mistake.partition(": ")[0] for mistake in caught.value.mistakes] == [
        "requirements.txt:1",
        "requirements.txt:3",
    ]


def test_included_files(tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    (tmp_path / "requirements.txt").write_text("-r more/base.txt\nfoo\n")
    (folder / "base.txt").write_text("bar\n--requirement=base2.txt\n")
    (folder / "base2.txt").write_text("baz\n")
    found = read_demands(tmp_path / "requirements.txt", {})
    assert wanted(found) == ["bar", "baz", "foo"]
    assert [demand.place for demand in found.demands] == [
        f"{folder / 'base.txt'}:1",
        f"{folder / 'base2.txt'}:1",
        f"{tmp_path / 'requirements.txt'}:2",
    ]


def test_constraints_narrow_what_is_demanded(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("foo>=1\nbar\n-c constraints.txt\n")
    (tmp_path / "constraints.txt").write_text(
        f"foo<2\nbar==1.0 --hash={DIGEST}\nbaz==3\nfoo!=1.5; os_name == 'nt'\n"
    )
    found = read_demands(tmp_path / "requirements.txt", {})
    assert wanted(found) == ["foo<2,>=1", "bar==1.0"]
    assert found.demands[1].hashes == (DIGEST,)
    assert [constraint.project for constraint in found.constraints] == ["foo", "bar", "baz"]
    assert [remark.text for remark in found.ignored] == ["foo!=1.5; os_name == 'nt'"]


def test_circles_missing_files_and_depth(tmp_path: Path) -> None:
    circle = tmp_path / "circle.txt"
    circle.write_text("-r ./circle.txt")
    assert "includes a file that includes this one" in mistakes(circle)[0]
    missing = tmp_path / "missing.txt"
    missing.write_text("foo\n-r nowhere.txt")
    assert f"{missing}:2: {tmp_path / 'nowhere.txt'} does not exist" in mistakes(missing)[0]
    for number in range(20):
        (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt")
    (tmp_path / "20.txt").write_text("foo")
    assert "files include each other over 16 deep" in mistakes(tmp_path / "0.txt")[0]


def test_as_uv_and_pip_tools_write_it() -> None:
    found = read_demands(LOCKS / "requirements.txt", {})
    assert {demand.project: len(demand.hashes) for demand in found.demands}["psutil"] == 21
    assert [remark.text for remark in found.unserved] == ["-e .", "../local"]
    found = read_demands(LOCKS / "pip-tools-requirements.txt", {})
    assert [demand.project for demand in found.demands][:2] == ["docopt", "linkify-it-py"]
    assert [remark.place.rpartition(":")[2] for remark in found.ignored] == ["7", "8", "9"]


REQUIREMENTS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["foo", "Foo.Bar", "a_b-c", "x"]),
    st.sampled_from(["", "[a]", "[a, B_c]"]),
    st.sampled_from(["", "==1.0", " >= 1, <2", "~=1.4", "!=1.5.*"]),
    st.sampled_from(["", " ; os_name == 'nt'", ";python_version<'3'", f" --hash={DIGEST}"]),
)
OTHER_LINES = st.sampled_from(
    ["", "# only a comment", "--pre", "-i https://index.example/simple", "  ", "./here", "-e ."]
)
ENDS = st.sampled_from(["", "  ", " # why", "\t# why \\"])


@given(st.lists(st.tuples(REQUIREMENTS | OTHER_LINES, ENDS), max_size=8), st.randoms(use_true_random=False))
def test_as_pip_itself_reads_it(tmp_path_factory: pytest.TempPathFactory, lines: list, random) -> None:  # type: ignore[no-untyped-def, type-arg]
    req_file = pytest.importorskip("pip._internal.req.req_file")
    text = "\n".join(
        # Some lines are continued at a space.
        (line.replace(" ", " \\\n", 1) if line[:1] != "#" and random.random() < 0.3 else line) + end
        for line, end in lines
    )
    path = tmp_path_factory.getbasetemp() / "as-pip.txt"
    path.write_text(text, encoding="utf-8")
    theirs = list(req_file.parse_requirements(str(path), session=None))
    found = read_demands(path, {})
    places = [int(each.comes_from.rpartition("line ")[2].rstrip(")")) for each in theirs]
    ours = [*found.demands, *found.unserved]
    assert sorted(int(each.place.rpartition(":")[2]) for each in ours) == places
    hashes = [tuple(sorted((each.options or {}).get("hashes", {}).get("sha256", ()))) for each in theirs]
    assert [tuple(h.partition(":")[2] for h in demand.hashes) for demand in found.demands] == [
        digests
        for digests, each in zip(hashes, theirs, strict=True)
        if each.requirement not in ("./here", ".")
    ]


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(BadDemands):
        read(text)
