"""Which types skops may make when it reads a fitted model."""

from importlib import import_module

__all__ = ["trusted_types"]

# Beside those of this package: plain containers and kernels. Trees of scikit-learn are not among them, which read
# memory at places that a file names.
OTHERS = frozenset(
    [
        "builtins.frozenset",
        "numpy.dtype",
        "sklearn.utils._bunch.Bunch",
        *(
            f"sklearn.gaussian_process.kernels.{name}"
            for name in ("ConstantKernel", "DotProduct", "Matern", "Product", "RBF", "Sum", "WhiteKernel")
        ),
    ]
)


def trusted_types(stored):
    """The types in a file of skops that may be trusted: this package's own classes, and a few plain ones.

    skops reads a file only if every type in it is known to be harmless. It does not know those of this package, of
    which a fitted model has dozens. What else is in the file, such as a class of your own or a tree of scikit-learn, is
    not returned: skops then refuses it by name, unless you add it.

    Parameters
    ----------
    stored : bytes, or str or path
        What ``skops.io.dumps`` returned, or the file that ``skops.io.dump`` wrote.

    Returns
    -------
    list of str
        For ``skops.io.loads(stored, trusted=...)`` or ``skops.io.load``.

    Examples
    --------
    >>> import numpy as np
    >>> import skops.io
    >>> from hme import HMERegressor
    >>> from hme.export import trusted_types
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = HMERegressor(depth=1).fit(X, np.abs(X[:, 0]))
    >>> stored = skops.io.dumps(model)
    >>> again = skops.io.loads(stored, trusted=trusted_types(stored))
    >>> bool((again.predict(X) == model.predict(X)).all())
    True
    """
    try:
        from skops.io import get_untrusted_types
    except ImportError as error:
        raise ImportError("skops is not installed; pip install skops brings it.") from error
    of = {"data": stored} if isinstance(stored, bytes) else {"file": stored}
    return [name for name in get_untrusted_types(**of) if name in OTHERS or _is_own_class(name)]


def _is_own_class(name):
    """Whether a name is that of a class that is defined in this package."""
    package = __name__.partition(".")[0]
    module = name.partition("(")[0].rpartition(".")[0]  # names of reports say their fields in brackets
    if module.partition(".")[0] != package:
        return False
    try:
        found = getattr(import_module(module), name[len(module) + 1 :])
    except (ImportError, AttributeError, ValueError):
        return False
    return isinstance(found, type) and found.__module__.partition(".")[0] == package
