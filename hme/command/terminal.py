"""What the command prints: text without control characters, progress, and the answer to Ctrl-C."""

import signal
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager

__all__ = ["Interrupts", "listed", "note", "plain", "progress", "say", "say_warnings", "shown_cells"]

PATIENCE = 3.0  # seconds between two signs of life
MOST_NAMES = 12  # names of columns or cells that a message lists
MOST_ROWS = 5


def plain(text):
    """The text with escapes for what a terminal would obey and for what cannot be seen, such as ESC."""
    text = str(text)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def say(text="", file=None):
    """Print lines at once, in characters that the stream has."""
    stream = sys.stdout if file is None else file
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = "\n".join(map(plain, str(text).split("\n")))
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)


def note(text):
    """Print what was done to the table or was noticed on the way."""
    say(f"note: {text}")


def say_warnings(caught):
    """Print each message of caught warnings once."""
    for text, count in Counter(str(warning.message) for warning in caught).items():
        note(text + (f" ({count} fits)" if count > 1 else ""))


def listed(names, most=MOST_NAMES):
    """Names with commas between them, and the number of those that are too many to list."""
    names = list(map(str, names))
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(plain, names[:most])) + rest


def shown_cells(cells, rows, most=MOST_ROWS):
    """Cells with the numbers of their rows; the first row below the names is row 1.

    Examples
    --------
    >>> from hme.command.terminal import shown_cells
    >>> shown_cells(["?", "x", "?"], [5, 7, 11])
    "'?' in rows 6 and 12, 'x' in row 8"
    """
    where = {}
    for cell, row in zip(cells, rows, strict=True):
        where.setdefault(cell, []).append(int(row) + 1)
    parts = []
    for cell, found in list(where.items())[:most]:
        *first, last = map(str, found[:most])
        more = f" and {len(found) - most} more" if len(found) > most else ""
        numbers = f"{', '.join(first)}{', ' if more else ' and '}{last}{more}" if first else last
        parts.append(f"{short(cell)} in row{'s' * bool(first)} {numbers}")
    return ", ".join(parts) + (f", and {len(where) - most} other cells" if len(where) > most else "")


def short(cell, width=40):
    """A cell in quotes, cut if it is long."""
    cell = str(cell)
    return plain(repr(cell if len(cell) <= width else cell[: width - 3] + "..."))


@contextmanager
def progress(task):
    """Say every few seconds that a task still runs: on a terminal in one line that vanishes, else line by line."""
    stream, done = sys.stderr, threading.Event()
    transient = stream.isatty()

    def tell():
        begin = time.monotonic()
        while not done.wait(PATIENCE):
            text = plain(f"{task} ... {time.monotonic() - begin:.0f} s")
            print(f"\r{text}\x1b[K" if transient else text, end="" if transient else "\n", file=stream, flush=True)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if transient:
            print("\r\x1b[K", end="", file=stream, flush=True)


class Interrupts:
    """Remembers Ctrl-C, which estimators may answer by themselves, and holds it back while files are written."""

    def __init__(self):
        self.pressed = False
        self._held = False

    def __enter__(self):
        self._before = None
        usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else somebody else answers, or nobody
        if usual and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._answer)
        return self

    def __exit__(self, *error):
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _answer(self, number, frame):
        self.pressed = True
        if not self._held:
            raise KeyboardInterrupt

    @contextmanager
    def held_back(self):
        """Go on in spite of Ctrl-C; `pressed` tells of it afterwards."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
