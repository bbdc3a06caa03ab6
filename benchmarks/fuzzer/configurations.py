"""A configuration: an estimator as Python source, and the arrays that it is fitted to.

The source is what makes a failure a script: `Configuration.script` prints what `fit` does.
"""

import warnings
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import hme.experts
import hme.gates
from hme import HMEClassifier, HMERegressor
from hme.registry import make_expert, make_gate

__all__ = ["Configuration", "sides"]


def sides(Z):
    """A prior of three leaves that a user gives: by the first column, smoothly, and nowhere zero."""
    z = Z[:, 0] if Z.shape[1] else np.zeros(len(Z))
    part = 0.5 * z / (1.0 + np.abs(z))
    share = np.column_stack([1.0 - part, np.ones(len(Z)), 1.0 + part])
    return share / share.sum(axis=1, keepdims=True)


NAMES = {
    **{name: getattr(room, name) for room in (hme.experts, hme.gates) for name in room.__all__},
    **{f.__name__: f for f in (LinearRegression, LogisticRegression, Ridge, KNeighborsRegressor, make_pipeline)},
    **{f.__name__: f for f in (PolynomialFeatures, SplineTransformer, StandardScaler)},
    **{f.__name__: f for f in (DecisionTreeClassifier, DecisionTreeRegressor, sides, slice)},
}
FORMS = {  # how the table is passed
    "array": lambda X: X,
    "fortran": np.asfortranarray,
    "list": lambda X: X.tolist(),
    "sparse": sp.csr_matrix,
    "frame": lambda X: _frame(X),
}


def _frame(X):
    import pandas as pd

    return pd.DataFrame(X, columns=[f"column {j}" for j in range(X.shape[1])], index=np.arange(len(X)) + 100)


@dataclass(frozen=True)
class Configuration:
    """What is fitted to what.

    Attributes
    ----------
    task : {"regression", "classification"}
    settings : dict of str to str
        Parameters of the estimator, as Python source.
    X : ndarray of shape (n, p)
    y : ndarray of shape (n,) or (n, T)
    aligned : dict of str to ndarray
        What else comes with the rows: arguments of `fit`, and "start", which is a parameter of the estimator.
    form : str
        How X is passed, see `FORMS`.
    domain : str
        What y was drawn as, see `tables.DOMAINS`.
    ugly : tuple of str
        What is ugly about the table.
    """

    task: str
    settings: dict
    X: np.ndarray
    y: np.ndarray
    aligned: dict = field(default_factory=dict)
    form: str = "array"
    domain: str = "real"
    ugly: tuple = ()

    # -- the fit -------------------------------------------------------------------------------------------------------

    def estimator(self):
        """The estimator, unfitted."""
        settings = {name: eval(source, dict(NAMES)) for name, source in self.settings.items()}
        if "start" in self.aligned:
            settings["start"] = self.aligned["start"]
        return (HMERegressor if self.task == "regression" else HMEClassifier)(**settings)

    def table(self, X=None):
        """X, or another table of the same columns, as it is passed."""
        return FORMS[self.form](self.X if X is None else X)

    @property
    def arguments(self):
        """Keyword arguments of `fit` beside X and y."""
        return {name: values for name, values in self.aligned.items() if name != "start"}

    def given(self, *names):
        """Those of the arguments of `fit` that are called so."""
        return {name: self.aligned[name] for name in names if name in self.aligned}

    def fit(self):
        """A fitted estimator; warnings are the caller's."""
        return self.estimator().fit(self.table(), self.y, **self.arguments)

    def quietly(self):
        """A fitted estimator, its warnings left aside."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.fit()

    @property
    def expert(self):
        return make_expert(self.estimator().expert, self.task)

    @property
    def gate(self):
        return make_gate(self.estimator().gate)

    def __getitem__(self, name):
        """The value of a setting, None where it is left at its default."""
        return eval(self.settings[name], dict(NAMES)) if name in self.settings else None

    # -- other configurations ------------------------------------------------------------------------------------------

    def with_settings(self, **settings):
        """With other settings, as source; None removes one."""
        new = {name: source for name, source in {**self.settings, **settings}.items() if source is not None}
        return replace(self, settings=new)

    def take(self, rows):
        """With some of the rows, in another order or several times."""
        aligned = {name: values[rows] for name, values in self.aligned.items()}
        return replace(self, X=self.X[rows], y=self.y[rows], aligned=aligned)

    def with_aligned(self, **aligned):
        """With other arrays beside the rows; None removes one."""
        new = {name: values for name, values in {**self.aligned, **aligned}.items() if values is not None}
        return replace(self, aligned=new)

    # -- as text -------------------------------------------------------------------------------------------------------

    def describe(self):
        """One line for reports."""
        settings = ", ".join(f"{name}={source}" for name, source in self.settings.items())
        rows = f"{self.form} {self.X.shape}, {self.domain}" + "".join(f", {name}" for name in self.aligned)
        return f"{self.task}: {settings}; {rows}; {' and '.join(self.ugly) or 'plain'}"

    def script(self):
        """Source that makes `configuration`, for a reader to run."""
        names = ["task", "settings", "X", "y", "aligned", "form", "domain"]
        values = [self.task, self.settings, self.X, self.y, self.aligned, self.form, self.domain]
        arguments = ",\n".join(f"    {name}={_source(value)}" for name, value in zip(names, values, strict=True))
        return f"configuration = Configuration(\n{arguments},\n)"


def _source(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name!r}: {_source(item)}" for name, item in value.items()) + "}"
    return f"np.array({value.tolist()!r})" if isinstance(value, np.ndarray) else repr(value)
