"""docs/options.md is made from where options are declared; PYPI_MIRROR_RERECORD=1 writes it again."""

from html import escape

from pypi_mirror.options import Option
from pypi_mirror.settings.options import OPTIONS, SECTIONS
from tests.docs.fenced_blocks import ROOT
from tests.golden import assert_golden

PAGE = ROOT / "docs/options.md"
HEAD = """\
# Option reference

Made from where the options are declared; do not edit. The template
[`include/mirror.conf`](../include/mirror.conf) explains each option at more length.
`pypi-mirror config check` names every mistake with its line; with `--all` it shows the values in effect.

The syntax of the file is bandersnatch's: sections, `key = value`, and lists with an item on each indented
line. Lines that begin with `#` or `;` are comments. A percent sign is written `%%`. Relative paths begin at
the directory of the file. Secrets are never in the file: see [Secrets](security.md#secrets).
"""


def reference() -> str:
    """The page: a section of the file a heading, an option a row."""
    parts = [HEAD]
    for section in SECTIONS:
        rows = "".join(map(row, (option for option in OPTIONS if option.section == section)))
        parts.append(
            f"## `[{section.name}]`\n\n{section.doc} See {section.see}.\n\n"
            f"| option | default | meaning |\n| --- | --- | --- |\n{rows}"
        )
    return "\n".join(parts)


def row(option: Option) -> str:
    default = "required" if option.required else f"`{option.default}`" if option.default else "none"
    names = ", ".join(f"`{name}`" for name in (option.key, *option.aliases))
    return f"| {names} | {default} | {escape(option.doc, quote=False)} |\n".replace("%", "%%")


def test_the_page_is_what_the_declarations_say() -> None:
    assert_golden(PAGE, reference().encode())
