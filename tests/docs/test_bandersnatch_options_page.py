"""docs/bandersnatch-options.md is made from what the code declares of bandersnatch's options.

PYPI_MIRROR_RERECORD=1 writes it again.
"""

from html import escape

from pypi_mirror.settings.bandersnatch import EVERY_KEY, OPTIONS, BandersnatchOption, Verdict
from tests.docs.fenced_blocks import ROOT
from tests.golden import assert_golden

PAGE = ROOT / "docs/bandersnatch-options.md"
HEAD = """\
# bandersnatch's options

Made from where they are declared; do not edit. `pypi-mirror config check` prints the same for your file, a
row for each option.

- **same**: it means what it means in bandersnatch.
- **better**: it does that, and more.
- **differs**: where it does something else is said.
- **no effect**: the line does nothing. If its value asks for something else than what happens here anyway,
  `config check`, `plan`, `sync` and the page in Airflow warn about it.
- **not supported**: a value that asks for something else than what happens here anyway is a mistake.

Unknown keys are mistakes in any file, so that a typo is found. Defaults are those of the
[option reference](options.md).
"""

OLD_NAMES = """\
`[whitelist]`, `[blacklist]`, their `plugins`, and plugins of the old names are read as `[allowlist]`,
`[blocklist]` and `[plugins] enabled`, with a warning: bandersnatch itself ignores the old names.
"""


def table(options: list[BandersnatchOption]) -> str:
    rows = "".join(map(row, options))
    return f"| option | here | how, or why |\n| --- | --- | --- |\n{rows}"


def row(option: BandersnatchOption) -> str:
    key = "" if option.key == EVERY_KEY else f" {option.key}"
    note = option.note
    if option.meant:
        note = f"in bandersnatch: {option.meant}. {option.note[:1].upper()}{option.note[1:]}"
    return f"| `[{option.section}]{key}` | {option.verdict.value} | {escape(note, quote=False)} |\n"


def page() -> str:
    now = [each for each in OPTIONS if not each.former]
    former = [each for each in OPTIONS if each.former]
    return "\n".join(
        [
            HEAD,
            "## Options of 8.2.0\n",
            table(now),
            "## Options of earlier versions\n",
            OLD_NAMES,
            table(former),
        ]
    )


def test_the_page_is_what_the_declarations_say() -> None:
    assert_golden(PAGE, page().encode())


def test_every_verdict_is_explained() -> None:
    assert all(f"- **{verdict.value}**:" in HEAD for verdict in Verdict)
