"""Numbers as people write them: decimal commas, thousands, currencies, per cent, minus signs of accountants."""

import re
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Evidence", "evidence", "parse"]

CODES = "USD EUR GBP JPY CHF CNY INR AUD CAD NZD SEK NOK DKK PLN CZK HUF BRL MXN ZAR KRW RUB TRY SGD HKD ILS"
CURRENCY = rf"(?:[A-Z]{{1,2}})?[$€£¥₹₽₩₪₺₫฿₴₦₱₸]|(?:{CODES.replace(' ', '|')})|kr\.?|zł|Kč|Ft|Fr\.|Rs\.?"
SPACES = " \u00a0\u2009\u202f'’"  # what may stand between thousands, beside the sign that is not the decimal one
PERCENT = {"%", "‰"}


@lru_cache
def _pattern(decimal):
    mark, other = re.escape(decimal), "," if decimal == "." else r"\."
    groups = rf"[1-9][0-9]{{0,2}}(?P<gap>[{other}{SPACES}])[0-9]{{3}}(?:(?P=gap)[0-9]{{3}})*"
    lakhs = r"|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" if decimal == "." else ""
    digits = rf"(?:(?:{groups}{lakhs}|[0-9]+)(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][-+]?[0-9]+)?"
    return re.compile(
        rf"(?P<open>\()?(?P<first>[-+−])?\s*(?P<before>{CURRENCY})?\s*(?P<second>[-+−])?\s*(?P<digits>{digits})\s*"
        rf"(?P<after>{CURRENCY}|[%‰])?(?P<last>-)?(?P<close>\))?"
    )


@lru_cache(maxsize=2**16)
def parse(cell, decimal="."):
    """The number in a cell, with its currency or % sign, or None if the cell is no finite number.

    Parameters
    ----------
    cell : str
    decimal : {".", ","}

    Returns
    -------
    (float, str) or None

    Examples
    --------
    >>> from hme.command.numbers import parse
    >>> parse("$1,234.50"), parse("-1.234,5 €", ","), parse("12 %"), parse("(7)"), parse("1_000")
    ((1234.5, '$'), (-1234.5, '€'), (12.0, '%'), (-7.0, ''), None)
    """
    found = _pattern(decimal).fullmatch(cell)
    if found is None:
        return None
    it = found.groupdict()
    signs = [it[name] for name in ("first", "second", "last", "open") if it[name]]
    if len(signs) > 1 or bool(it["open"]) != bool(it["close"]) or (it["before"] and it["after"]):
        return None
    digits = re.sub(rf"[{SPACES}{',' if decimal == '.' else '.'}]", "", it["digits"]).replace(",", ".")
    number = float(digits) if signs in ([], ["+"]) else -float(digits)
    return (number, it["before"] or it["after"] or "") if abs(number) < float("inf") else None


class Evidence(NamedTuple):
    """For which decimal sign the cells of a column speak, by the number of cells."""

    point: int = 0  # numbers with a decimal point only
    comma: int = 0  # numbers with a decimal comma only
    either: int = 0  # the same number with both
    open: int = 0  # a number with both, but not the same: 1,234
    none: int = 0  # no number
    example: str = ""  # of an open one

    @property
    def share(self):
        """Share of the cells that are numbers, with the sign that makes more of them."""
        numbers = max(self.point, self.comma) + self.either + self.open
        return numbers / max(self.point + self.comma + self.either + self.open + self.none, 1)


def evidence(cells):
    """Count for which decimal sign cells speak.

    Parameters
    ----------
    cells : iterable of str

    Returns
    -------
    Evidence
    """
    counts, example = Counter(), ""
    for cell, count in Counter(cells).items():
        point, comma = parse(cell, "."), parse(cell, ",")
        if point and comma:
            kind = "either" if point == comma else "open"
            example = cell if kind == "open" and not example else example
        else:
            kind = "point" if point else "comma" if comma else "none"
        counts[kind] += count
    return Evidence(**counts, example=example)
