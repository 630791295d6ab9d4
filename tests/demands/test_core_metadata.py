"""``demands.core_metadata``: what a release requires, however old or broken its metadata is."""

import msgspec
import pytest

from pypi_mirror.demands.core_metadata import MOST_REQUIREMENTS, CoreMetadata, Requires, parse_core_metadata


def document(*lines: str, version: str = "2.1") -> bytes:
    return "\n".join([f"Metadata-Version: {version}", "Name: a", "Version: 1", *lines, "", "text"]).encode()


def parsed(*lines: str) -> CoreMetadata:
    return parse_core_metadata(document(*lines))


@pytest.mark.parametrize(
    ("line", "requires"),
    [
        ("lib", ("lib", "", (), "")),
        ("Some.Lib_x", ("some-lib-x", "", (), "")),
        ("lib>=1,<2", ("lib", "<2,>=1", (), "")),
        ("lib (>=1,<2)", ("lib", "<2,>=1", (), "")),
        ("lib[B_x,a]~=1.4", ("lib", "~=1.4", ("a", "b-x"), "")),
        ("lib; extra == 'Test_S'", ("lib", "", (), 'extra == "test-s"')),
        ("lib ; python_version<'3'", ("lib", "", (), 'python_version < "3"')),
        ("lib\n  >=1", ("lib", ">=1", (), "")),
        ("lib===2004d", ("lib", "===2004d", (), "")),
    ],
)
def test_requirements_are_normalized(line: str, requires: tuple[str, str, tuple[str, ...], str]) -> None:
    assert parsed(f"Requires-Dist: {line}") == CoreMetadata(
        requires=(Requires(*requires),),  # type: ignore[arg-type]
        extras=("test-s",) if "extra" in line else (),
        is_final=False,
    )


@pytest.mark.parametrize(
    ("line", "requires"),
    [
        ("lib>=1.0.*", Requires("lib")),  # type: ignore[arg-type]
        ("lib (>=2.6.*, !=3.0)", Requires("lib")),  # type: ignore[arg-type]
        ("lib>dev", Requires("lib")),  # type: ignore[arg-type]
        ("lib[a] >= ; extra == 'x'", Requires("lib", "", ("a",), 'extra == "x"')),  # type: ignore[arg-type]
        ("lib>=1; python_version is 3", Requires("lib")),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_read_counts_for_more_and_is_named(line: str, requires: Requires) -> None:
    found = parsed(f"Requires-Dist: {line}", "Requires-Dist: other")
    assert found.requires == (requires, Requires("other"))  # type: ignore[arg-type]
    assert len(found.remarks) == 1
    assert found.remarks[0].startswith(line)


@pytest.mark.parametrize("line", ["", "==1", "lib @ https://index.example/lib.whl", "!!", "x" * 5000, "[a]"])
def test_what_is_not_on_an_index_is_named(line: str) -> None:
    found = parsed(f"Requires-Dist: {line}")
    assert found.requires == ()
    assert len(found.remarks) == 1


def test_secrets_of_addresses_are_not_said() -> None:
    (remark,) = parsed("Requires-Dist: lib @ https://user:secret@index.example/lib.whl").remarks
    assert "secret" not in remark


def test_extras_are_those_of_the_headers_and_of_markers() -> None:
    found = parsed(
        "Provides-Extra: Fast.IO",
        "Requires-Dist: lib; extra == 'docs' or (extra == 'fast-io' and os_name == 'nt')",
        "Default-Extra: fast_io",
    )
    assert (found.extras, found.default_extras) == (("fast-io", "docs"), ("fast-io",))


@pytest.mark.parametrize(
    ("version", "lines", "is_final"),
    [
        ("2.1", (), False),
        ("2.2", (), True),
        ("2.10", (), True),
        ("3.0", (), True),
        ("2.2", ("Dynamic: Requires-Dist",), False),
        ("2.2", ("Dynamic: requires-dist",), False),
        ("2.2", ("Dynamic: License",), True),
        ("two", (), False),
        ("\u00b2.1", (), False),
    ],
)
def test_only_metadata_that_says_so_is_final(version: str, lines: tuple[str, ...], is_final: bool) -> None:
    assert parse_core_metadata(document(*lines, version=version)).is_final is is_final


def test_there_is_an_end_to_hostile_metadata() -> None:
    found = parsed(*(f"Requires-Dist: lib{n}" for n in range(MOST_REQUIREMENTS + 5)))
    assert len(found.requires) == MOST_REQUIREMENTS
    assert "10,005" in found.remarks[0]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\n\nRequires-Dist: lib", b"no header at all"])
def test_what_is_no_metadata_requires_nothing(content: bytes) -> None:
    assert parse_core_metadata(content).requires == ()


def test_it_survives_the_ledger() -> None:
    found = parsed("Requires-Dist: lib[a]>=1; extra == 'x'", "Requires-Dist: ==")
    assert msgspec.json.decode(msgspec.json.encode(found), type=CoreMetadata) == found
