"""requirements.txt: https://pip.pypa.io/en/stable/reference/requirements-file-format/.

Read as pip reads it. Its options say how to install; those that decide nothing on a mirror are returned with
the reason. Constraints (``-c``) narrow what the file itself demands.
"""

import optparse
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from msgspec import Struct
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.demands.demand import (
    LOCAL,
    Constraint,
    Demand,
    Demands,
    Found,
    demand_of,
    parse_requirement,
    shown,
    why_unserved,
)
from pypi_mirror.release_files import ARCHIVES, WHEEL

MOST_DEPTH: Final = 16

_COMMENT: Final = re.compile(r"(?:^|\s+)#.*$")
# "Only uppercase letters, digits and the underscore".
_VARIABLE: Final = re.compile(r"\$\{([A-Z0-9_]+)\}")
_SCHEME: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://|file:)")
_HASH: Final = re.compile(r"(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})")

_INDEXES: Final = "the mirror takes everything from [mirror] master"
_BUILD: Final = "it says how to build, not what to mirror"
# Options without an argument, and with one; of the latter the shorter spelling.
_FLAGS: Final = {
    "--no-index": _INDEXES,
    "--require-hashes": "files are always checked by their digests",
    "--prefer-binary": "it chooses among candidates, which is the installer's choice",
    "--pre": "pre-releases that a specifier admits are mirrored",
}
_SOURCE_FILES: Final = (
    "it says which files to install; [allowlist] packages keeps a release's source archives"
)
_WITH_ARGUMENT: Final = {
    "--index-url": _INDEXES,
    "--extra-index-url": _INDEXES,
    "--find-links": _INDEXES,
    "--trusted-host": _INDEXES,
    "--no-binary": _SOURCE_FILES,
    "--only-binary": _SOURCE_FILES,
    "--all-releases": "pre-releases that a specifier admits are mirrored",
    "--only-final": "pre-releases that a specifier admits are mirrored",
    "--uploaded-prior-to": "it chooses among candidates, which is the installer's choice",
    "--use-feature": "it changes pip, not what to mirror",
    "--global-option": _BUILD,
    "--config-settings": _BUILD,
}
_ALSO_CALLED: Final = {
    "--index-url": ("-i", "--pypi-url"),
    "--find-links": ("-f",),
    "--config-settings": ("-C", "--config-setting"),
}


def read(path: Path, text_of: Callable[[Path], str], environ: Mapping[str, str]) -> Demands:
    """Return what ``path`` and the files that it includes demand; ``text_of`` reads a file."""
    found = Found(file=str(path))
    _Reading(text_of, environ, found).read(path, is_constraint=False)
    demands = found.done()
    return replace(demands, demands=tuple(_narrowed(demands.demands, demands.constraints)))


class _Line(Struct, frozen=True):
    """A logical line: the number of its first line, and its text without comments as it is written."""

    number: int
    text: str


class _Reading:
    def __init__(self, text_of: Callable[[Path], str], environ: Mapping[str, str], found: Found) -> None:
        self._text_of = text_of
        self._environ = environ
        self._found = found
        self._including: list[Path] = []

    def read(self, path: Path, *, is_constraint: bool) -> None:
        text = self._text_of(path)
        outer, self._found.file = self._found.file, str(path)
        self._including.append(path.resolve())
        for line in _lines(text):
            self._read_line(line, path, is_constraint=is_constraint)
        self._including.pop()
        self._found.file = outer

    def _read_line(self, line: _Line, path: Path, *, is_constraint: bool) -> None:
        text = _VARIABLE.sub(lambda match: self._environ.get(match[1]) or match[0], line.text)
        wanted, options = _split(text)
        try:
            chosen = _parser().parse_args(shlex.split(options))[0]
        except ValueError as error:
            # Variables can hold secrets: messages quote the file.
            self._found.mistake(f"{line.text!r} is not a line that pip reads: {error}", line.number)
            return
        if wanted:
            self._require(wanted, chosen, line, is_constraint=is_constraint)
        elif chosen.editable:
            self._found.leave_out(line.text, _why_elsewhere(chosen.editable[0]) or LOCAL, line.number)
        elif chosen.requirement or chosen.constraint:
            for included in chosen.requirement:
                self._include(included, line, path, is_constraint=False)
            for included in chosen.constraint:
                self._include(included, line, path, is_constraint=True)
        else:
            for reason in dict.fromkeys(chosen.reasons or ["pip ignores it without a requirement"]):
                self._found.ignore(line.text, reason, line.number)

    def _include(self, name: str, line: _Line, path: Path, *, is_constraint: bool) -> None:
        if _SCHEME.match(name):
            self._found.leave_out(
                line.text, "files are included from the disk only; download it", line.number
            )
            return
        included = path.parent / name
        if included.resolve() in self._including:
            self._found.fail(
                f"{shown(line.text)} includes a file that includes this one; remove one", line.number
            )
        if len(self._including) >= MOST_DEPTH:
            self._found.fail(
                f"files include each other over {MOST_DEPTH} deep; include them here", line.number
            )
        if not included.is_file():
            self._found.fail(f"{included} does not exist; correct the path, or remove the line", line.number)
        self.read(included, is_constraint=is_constraint)

    def _require(self, wanted: str, chosen: optparse.Values, line: _Line, *, is_constraint: bool) -> None:
        found = self._found
        for reason in dict.fromkeys(chosen.reasons):
            found.ignore(line.text, reason, line.number)
        elsewhere = _why_elsewhere(wanted)
        if elsewhere is not None:
            found.leave_out(line.text, elsewhere, line.number)
            return
        requirement = parse_requirement(wanted)
        if isinstance(requirement, str):
            found.mistake(f"{line.text!r} is not a requirement (PEP 508): {requirement}", line.number)
            return
        if requirement.url is not None:
            found.leave_out(line.text, why_unserved(requirement.url), line.number)
            return
        hashes = tuple(sorted({text.lower() for text in chosen.hash}))
        if bad := next((text for text in hashes if not _HASH.fullmatch(text)), None):
            found.mistake(
                f"--hash={bad} is not a digest that pip accepts: sha256:…, sha384:… or sha512:…", line.number
            )
            return
        demand = demand_of(requirement, place=found.place(line.number), hashes=hashes)
        if not is_constraint:
            found.demand(demand)
        elif demand.marker:
            found.ignore(line.text, "a constraint with a marker holds for some machines only", line.number)
        else:
            found.constraints.append(
                Constraint(
                    project=demand.project, specifier=demand.specifier, hashes=hashes, place=demand.place
                )
            )


def _lines(text: str) -> Iterator[_Line]:
    """Join lines that end with a backslash, but not a comment's, then remove comments, as pip does."""
    parts: list[str] = []
    first = 1
    for number, line in enumerate(text.splitlines(), start=1):
        is_comment = _COMMENT.match(line)
        if not parts:
            first = number
        if line.endswith("\\") and not is_comment:
            parts.append(line.strip("\\"))
            continue
        # A space before, so that a comment after a continued line is one.
        parts.append(f" {line}" if is_comment else line)
        yield from _without_comment(first, "".join(parts))
        parts = []
    yield from _without_comment(first, "".join(parts))


def _without_comment(number: int, text: str) -> Iterator[_Line]:
    text = _COMMENT.sub("", text).strip()
    if text:
        yield _Line(number, text)


def _split(text: str) -> tuple[str, str]:
    """Return the requirement and the options: a shell's quoting would spoil markers."""
    words = text.split(" ")
    border = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    return " ".join(words[:border]).strip(), " ".join(words[border:])


class _Parser(optparse.OptionParser):
    def error(self, msg: str) -> NoReturn:
        raise ValueError(msg)


def _parser() -> optparse.OptionParser:
    """The options of requirement files; ``reasons`` are those for which the others are ignored."""
    parser = _Parser(add_help_option=False, usage=optparse.SUPPRESS_USAGE)
    parser.set_defaults(reasons=[])
    for name in ("--requirement", "--constraint", "--editable"):
        parser.add_option(name[1:3], name, action="append", default=[])
    parser.add_option("--hash", action="append", default=[])

    def note(_option: object, _name: str, _value: str, to: Any, reason: str) -> None:
        to.values.reasons.append(reason)

    for name, reason in _FLAGS.items():
        parser.add_option(name, action="callback", callback=note, callback_args=(reason,))
    for name, reason in _WITH_ARGUMENT.items():
        names = (*_ALSO_CALLED.get(name, ()), name)
        parser.add_option(*names, action="callback", type="string", callback=note, callback_args=(reason,))
    return parser


def _why_elsewhere(wanted: str) -> str | None:
    """Return why a requirement that is no name is not served: an address, a path, an archive's file name."""
    if _SCHEME.match(wanted):
        return why_unserved(wanted)
    before = re.split(r"[;\[@<>=!~ ]", wanted, maxsplit=1)[0]
    if wanted.startswith((".", "/", "~")) or "/" in before or "\\" in before:
        return LOCAL
    return LOCAL if before.lower().endswith((WHEEL, *ARCHIVES)) else None


def _narrowed(demands: tuple[Demand, ...], constraints: tuple[Constraint, ...]) -> Iterator[Demand]:
    """Put constraints on the demands that they are about; pip applies each, wherever it is included."""
    if not constraints:
        yield from demands
        return
    from packaging.specifiers import SpecifierSet

    by_project: dict[NormalizedName, list[Constraint]] = {}
    for constraint in constraints:
        by_project.setdefault(constraint.project, []).append(constraint)
    for demand in demands:
        narrowed = demand
        for constraint in by_project.get(demand.project, ()):
            specifier = SpecifierSet(narrowed.specifier) & SpecifierSet(constraint.specifier)
            both = tuple(sorted({*narrowed.hashes} & {*constraint.hashes}))
            hashes = both or narrowed.hashes or constraint.hashes
            narrowed = replace(narrowed, specifier=str(specifier), hashes=hashes)
        yield narrowed
