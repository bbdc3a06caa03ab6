"""Files that are written whole or not at all."""

import os
from contextlib import contextmanager
from pathlib import Path

from . import TableError

__all__ = ["check_folder", "whole_file"]


def check_folder(folder):
    """Refuse a folder for results in which nothing can be written, before anything is computed."""
    place = Path(folder)
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise TableError(f"--out {folder}: {place} is not a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise TableError(f"--out {folder}: no permission to write in {place}")


@contextmanager
def whole_file(path):
    """A binary file that takes its name when it is complete; if anything fails, what was there before stays.

    Parameters
    ----------
    path : Path

    Yields
    ------
    file
        To write in.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(draft, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
