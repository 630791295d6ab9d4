"""The command line: ``pypi-mirror VERB``. One verb a module; each parses, calls a step, reports.

Exit codes: 0 complete, 1 a project or the run failed, 2 wrong usage or configuration, 3 the plan removes so
much that it needs approval, 128 + N ended by signal N: 130 after Ctrl-C, 143 after SIGTERM.
"""

import argparse
import gc
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from pypi_mirror import __version__
from pypi_mirror.cli.interruption import Interrupted, handled_signals, interruptible
from pypi_mirror.cli.output import lasting_output, use_file, warn
from pypi_mirror.cli.parser import VerbParser, add_configuration_option, sentence
from pypi_mirror.errors import ApprovalRequired, ConfigurationError, MirrorError
from pypi_mirror.memory import collect_rarely
from pypi_mirror.settings.locate import configuration_path

# One module each, in the order in which help shows them, with what help says of it.
_VERBS: Final = {
    "plan": "say what a sync would do",
    "sync": "bring the mirror up to date",
    "status": "show how complete and how current the mirror is",
    "explain": "say which files of a project are mirrored, and why not the others",
    "list": "list the files that the mirror carries, with licence, size and SHA-256",
    "lock": "change the addresses in a lock file to this mirror's",
    "backlog": "list, retry or forget the projects that are behind",
    "cooldown": "list the new files that wait, and let some in early",
    "audit": "find damage in the mirror and repair it",
    "config": "check the configuration",
    "ledger": "upgrade the ledger, back it up, or rebuild a lost one",
    "nginx": "render nginx's configuration, apply it, or run nginx",
    "handover": "make the tree bandersnatch's again, so that it can go on with it",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    with handled_signals(), lasting_output():
        try:
            with interruptible():
                return _run(words)
        except Interrupted as interrupted:
            print("pypi-mirror: interrupted; what was finished is kept", file=sys.stderr)
            return interrupted.code


def _run(words: Sequence[str]) -> int:
    arguments = _parse(words)
    use_file(arguments.config if arguments.config != configuration_path() else None)
    logging.basicConfig(
        level=logging.INFO if arguments.verbose else logging.ERROR,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    try:
        return int(arguments.run(arguments))
    except ConfigurationError as error:
        warn(str(error))
        return 2
    except ApprovalRequired as held:
        warn(f"pypi-mirror: {held}")
        return 3
    except MirrorError as error:
        warn(f"pypi-mirror: {error}")
        return 1
    except OSError as error:
        print(f"pypi-mirror: {_said(error)}", file=sys.stderr)
        return 1


def _parse(words: Sequence[str]) -> argparse.Namespace:
    """Import what the verb needs, which a collector that looks through ever more modules makes slower by a
    quarter. Forked processes share them.
    """
    gc.disable()
    try:
        return _parser(words).parse_args(words)
    finally:
        collect_rarely()
        gc.enable()


def _said(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the verb in ``words``, or one that lists all verbs: what a verb needs takes longer to
    import than most of them take to run."""
    common = argparse.ArgumentParser(add_help=False)
    add_configuration_option(common)
    verb = _verb_in(words)
    parser = VerbParser(
        prog="pypi-mirror",
        description="Keep a PyPI mirror in sync and serve it with nginx.",
        examples=(
            "pypi-mirror config check -c mirror.conf    # find every mistake in the configuration",
            "pypi-mirror sync -c mirror.conf            # bring the mirror up to date",
            "pypi-mirror status -c mirror.conf          # show how complete and how current it is",
        ),
    )
    parser.set_defaults(verbose=False)
    add_configuration_option(parser, has_default=True)
    parser.add_argument("--version", action="version", version=f"pypi-mirror {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    if verb in _VERBS:
        import_module(f"pypi_mirror.cli.{verb}").add_parser(verbs, common)
        verbs.choices[verb].description = sentence(_VERBS[verb])
    else:
        for each, what in _VERBS.items():
            verbs.add_parser(each, help=what)
    return parser


def _verb_in(words: Sequence[str]) -> str | None:
    """The first word that is neither an option nor the file that one names."""
    before = ("", *words)
    return next(
        (
            word
            for last, word in zip(before, words, strict=False)
            if not word.startswith("-") and last not in ("-c", "--config")
        ),
        None,
    )
