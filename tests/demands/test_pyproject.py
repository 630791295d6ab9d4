"""pyproject.toml: dependencies, extras, groups, what its build needs."""

import pytest

from pypi_mirror.demands import BadDemands, Demands, pyproject


def read(text: str) -> Demands:
    return pyproject.read(text, "pyproject.toml")


def wanted(found: Demands) -> list[str]:
    return [f"{demand.project}{demand.specifier}" for demand in found.demands]


def test_everything_that_can_be_installed_counts() -> None:
    found = read("""
        [build-system]
        requires = ["setuptools>=77"]
        [project]
        name = "App"
        dependencies = ["foo>=1; os_name == 'nt'", "Bar[x]"]
        [project.optional-dependencies]
        all = ["app[cli]"]
        cli = ["baz"]
        [dependency-groups]
        Test = ["pytest", {include-group = "lint_it"}]
        lint-it = ["ruff<1"]
    """)
    assert wanted(found) == ["foo>=1", "bar", "baz", "pytest", "ruff<1", "setuptools>=77"]
    assert (found.demands[0].marker, found.demands[1].extras) == ('os_name == "nt"', ("x",))
    assert [remark.text for remark in found.ignored] == ["app[cli]"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('{ git = "https://git.example/foo" }', "version control"),
        ('{ url = "https://files.example/foo.zip" }', "direct URL"),
        ('{ path = "../foo" }', "local path"),
        ("{ workspace = true }", "local path"),
        ('{ index = "pytorch" }', "takes it from the index pytorch"),
    ],
)
def test_sources_of_uv(source: str, reason: str) -> None:
    """A project of this name on the index would be another one."""
    found = read(f'[project]\ndependencies = ["Foo>=1"]\n[tool.uv.sources]\nfoo = {source}\n')
    assert found.demands == ()
    assert [(remark.text, reason in remark.reason) for remark in found.unserved] == [("Foo>=1", True)]


def test_a_source_for_some_machines_leaves_the_index_to_others() -> None:
    found = read(
        '[project]\ndependencies = ["foo"]\n[tool.uv.sources]\n'
        "foo = [{ index = 'own', marker = \"sys_platform == 'linux'\" }]\n"
    )
    assert wanted(found) == ["foo"]


def test_what_cannot_be_known_is_named() -> None:
    found = read(
        '[project]\ndynamic = ["version", "dependencies"]\ndependencies = []\n'
        '[tool.poetry.dependencies]\npython = "^3.11"\n'
        '[tool.uv]\ndev-dependencies = ["foo"]\n'
    )
    assert [(remark.text, remark.reason) for remark in found.unserved] == [
        ("dynamic dependencies", "only a build knows them; name a lock file too"),
        ("[tool.poetry] dependencies", "the tool's own form is not read; name poetry.lock instead"),
        ("[tool.uv] dev-dependencies", "the tool's own form is not read; name uv.lock instead"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[project\n", "is not TOML"),
        ('[project]\ndependencies = "foo"', "dependencies is not a list"),
        ("[project]\ndependencies = [1]", "an item of dependencies is not a string"),
        (
            '[project]\ndependencies = ["foo bar"]',
            "pyproject.toml: [project] dependencies has 'foo bar', which is not a requirement (PEP 508)",
        ),
        ('[dependency-groups]\na = [{include-group = "b"}]', "a includes b, which does not exist"),
        ('[dependency-groups]\na = [{include-group = "a"}]', "a includes a; remove one include"),
        (
            '[dependency-groups]\na = [{include-group = "b"}]\nb = [{include-group = "a"}]',
            "a includes b includes a",
        ),
        ('[dependency-groups]\na = [{path = "b"}]', "no requirement and no include-group"),
        ("[dependency-groups]\na_b = []\nA-B = []", "two groups called a-b"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(BadDemands) as caught:
        read(text)
    assert message in str(caught.value)
