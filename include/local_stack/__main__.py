"""``python -m local_stack COMMAND``: what the Makefile calls."""

import sys

from rich.console import Console

from local_stack import commands
from local_stack.commands import claim
from local_stack.errors import StackError
from local_stack.layout import CHECKOUT, Layout
from local_stack.options import parse_options
from local_stack.stack import Stack
from pypi_mirror.cli.interruption import Interrupted, handled_signals, interruptible
from pypi_mirror.errors import MirrorError

COMMANDS = {"mirror": commands.mirror, "up": commands.up, "down": commands.down}


def main(arguments: list[str]) -> int:
    """0 when all went well, 1 with a sentence when not, 2 for a wrong command line, 128 + N by signal N."""
    options = parse_options(arguments)
    layout = Layout(CHECKOUT)
    console, errors = (
        Console(markup=False, highlight=False, soft_wrap=True, stderr=e) for e in (False, True)
    )
    try:
        with handled_signals(), interruptible(), claim(layout.run, options.command):
            COMMANDS[options.command](Stack(layout), options, console)
    except (StackError, MirrorError) as error:
        errors.print(f"make {options.command}: {error}", style="red")
        return 1
    except Interrupted as interrupted:
        errors.print(f"make {options.command}: interrupted; everything it had started is stopped")
        return interrupted.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
