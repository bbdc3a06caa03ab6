"""write: a fitted model and its rows as one HTML file."""

import json
from importlib.resources import files
from pathlib import Path
from string import Template

from ..numerics.checks import check_int, check_real
from .payload import payload

__all__ = ["html", "write"]


def html(model, X, y, *, title=None, max_rows=10_000, coverage=0.9, feature_names=None, target_name=None, **rows):
    """The explorer of a fitted model as the text of an HTML page; see `write`.

    Parameters
    ----------
    model, X, y, title, max_rows, coverage, feature_names, target_name, **rows
        As for `write`.

    Returns
    -------
    str

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.report import html
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> page = html(HMERegressor(depth=1).fit(X, y), X, y, title="Motorcycle")
    >>> page[:15], "http://" in page.partition("<body")[0]
    ('<!DOCTYPE html>', False)
    """
    check_int(max_rows, "max_rows", 2)
    if not check_real(coverage, "coverage", positive=True) < 1:
        raise ValueError(f"coverage must be between 0 and 1, got {coverage!r}.")
    if len(y) != (X.shape[0] if hasattr(X, "shape") else len(X)):
        raise ValueError(f"X and y have different numbers of rows, y has {len(y)}.")
    content = payload(
        model,
        X,
        y,
        title=title or "Mixture of experts",
        max_rows=max_rows,
        coverage=coverage,
        names=(feature_names, target_name),
        arguments=rows,
    )
    # Nothing in the data may end the element that holds them.
    data = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    page = files(__package__) / "page"
    parts = {name: (page / file).read_text(encoding="utf-8") for name, file in PARTS.items()}
    return Template(parts.pop("page")).substitute(parts, data=data)


PARTS = {"page": "page.html", "style": "style.css", "model": "model.js", "explorer": "explorer.js"}


def write(model, X, y, path="report.html", **options):
    """Write the explorer of a fitted model: one HTML file, to open in a browser without a server or a network.

    It shows the tree to click through, with each gate's question and each expert's equation, fit and residuals;
    sliders that move a row, with its path, density and interval; two rows side by side; the rows, the scores, the
    calibration and the starts.

    The sliders predict in the browser by the model's own numbers, for trees of softmax gates, constant priors, Gaussian
    and top-k gates over linear, generalised linear and logistic experts, whose columns are numbers or levels of text,
    splines or squares of numbers, straight or through a pipeline that scales and encodes them. For other models the
    page says why it has no sliders, and shows all else.

    Parameters
    ----------
    model : HMERegressor, HMEClassifier or a stack
        A fitted one, or a pipeline that ends in one.
    X : data frame or array-like of shape (n, p)
        Rows, of the fit or new ones. They are in the page: do not pass it on where the rows must not be.
    y : array-like of shape (n,) or (n, T)
    path : str or Path, default="report.html"
        Where to write.
    **options
        ``title``, by default "Mixture of experts"; ``max_rows``, by default 10,000, of longer tables so many are taken,
        evenly, and of wide ones fewer are shown, so that the page stays below 3 MB; ``coverage`` of intervals, by
        default 0.9; ``feature_names`` of the columns that the model sees; ``target_name``, by default that of y; and
        row arguments of `predict`: ``offset``, ``trials``.

    Returns
    -------
    Path
        Of the file.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.report import write
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> write(HMERegressor(depth=2).fit(X, y), X, y, "motorcycle.html", title="Motorcycle")  # doctest: +SKIP
    PosixPath('motorcycle.html')
    """
    path = Path(path)
    path.write_text(html(model, X, y, **options), encoding="utf-8")
    return path
