"""The command line, ``python -m hme``: read a table, fit and compare models, write what was fitted.

The modules are imported one by one, so that the command can say what it does before the libraries are loaded.
"""

__all__ = ["Interrupted", "TableError"]


class TableError(ValueError):
    """Raised, with a message for the user, if a file is not a table or a table cannot be fitted."""


class Interrupted(Exception):
    """Raised, with a message that says what is kept, after Ctrl-C."""
