"""The arguments of the command."""

import argparse
from pathlib import Path

from .terminal import plain

__all__ = ["parser"]

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
DECIMALS = {"point": ".", "comma": ",", ".": ".", ",": ","}


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        """Show names of the user's table as text."""
        super().error("\n".join(map(plain, message.split("\n"))))


def parser():
    """The parser of the command's arguments.

    Returns
    -------
    argparse.ArgumentParser
    """
    it = _Parser(
        prog="python -m hme",
        description="Fit a hierarchical mixture of experts to a table, print its tree with each leaf's equation, and "
        "compare it with a linear model and gradient boosting on held-out rows. Without a table, run an example.",
    )
    it.add_argument(
        "data", nargs="?", type=Path, metavar="table", help="CSV or any text table, also compressed, or Parquet"
    )
    it.add_argument("--target", help="column to predict")
    it.add_argument("--task", choices=["auto", "regression", "classification"], default="auto")
    it.add_argument("--depth", type=_depth, default="auto", help="levels of gates, or auto (the default)")
    it.add_argument("--out", type=Path, default=Path("hme_out"), help="folder for model and picture")
    it.add_argument("--report", action="store_true", help="write an HTML page to explore the model in a browser too")
    it.add_argument("--test-size", type=_share, default=0.25, help="share of held-out rows (default 0.25)")
    it.add_argument("--random-state", type=_seed, default=0, help="seed (default 0)")
    reading = it.add_argument_group("how the table is read", "detected, unless given")
    reading.add_argument(
        "--separator", type=_separator, metavar="SIGN", help=f"{', '.join(SEPARATORS)}, or the character itself"
    )
    reading.add_argument("--decimal", type=_decimal, metavar="SIGN", help="decimal sign: point or comma")
    reading.add_argument("--encoding", type=_encoding, help="for example utf-8, latin-1, cp1252")
    reading.add_argument(
        "--dates", choices=["day-first", "month-first"], help="what 03/04/2025 means, where the column leaves it open"
    )
    reading.add_argument("--missing", action="append", default=[], metavar="CELL", help="a cell that is no value")
    reading.add_argument("--text", action="append", default=[], metavar="COLUMN", help="a column of text, or of codes")
    reading.add_argument("--drop", action="append", default=[], metavar="COLUMN", help="a column to leave out")
    return it


def _depth(text):
    if text != "auto" and not (text.isdecimal() and int(text) <= 10):
        raise argparse.ArgumentTypeError(f"{text!r} is neither 'auto' nor a number from 0 to 10")
    return text if text == "auto" else int(text)


def _seed(text):
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2**32 - 1")
    return int(text)


def _share(text):
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0.0 < share < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 1")
    return share


def _separator(text):
    sign = {**SEPARATORS, r"\t": "\t"}.get(text, text)
    if len(sign) != 1 or sign.isalnum() or sign in "\"\n\r.'+-":
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(SEPARATORS)}, nor a single sign")
    return sign


def _decimal(text):
    if text not in DECIMALS:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 'point' nor 'comma'")
    return DECIMALS[text]


def _encoding(text):
    try:
        "x".encode(text)
    except (LookupError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is no encoding of text that Python knows") from None
    return text
