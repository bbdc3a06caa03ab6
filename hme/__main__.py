"""`python -m hme`: fit a mixture to a table, print its tree, compare it with other models, save model and picture."""

import os
import sys

from .command import Interrupted, TableError
from .command.options import parser
from .command.terminal import progress, say

INTERRUPTED = 130  # the exit status of a program that Ctrl-C has ended


def main(argv=None):
    """Run the command; see ``python -m hme --help``.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; by default those of the command line.

    Returns
    -------
    int
        Exit status: 0, 2 after an error message, or 130 after Ctrl-C.
    """
    options = None
    try:
        arguments = parser()
        options = arguments.parse_args(argv)
        say(f"reading {options.data or 'the bundled table'}", file=sys.stderr)
        with progress("loading the libraries"):
            from .command.run import run  # only now, so that the user knows at once that it has begun

        try:
            run(options)
        except TableError as error:
            arguments.error(str(error))
    except SystemExit as stop:  # argparse has printed the reason
        return stop.code
    except (Interrupted, KeyboardInterrupt) as error:
        say(f"\n{str(error) or 'interrupted; nothing is written'}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # nobody reads on: python -m hme | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
