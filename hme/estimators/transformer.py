"""HMETransformer: the gate and the experts of a mixture as columns for the next layer."""

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.utils import _safe_indexing, check_array, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from ..numerics.checks import check_choice
from ..progress import Followable, followed
from .base import BaseHME
from .reading import as_table
from .regressor import HMERegressor
from .storing import Versioned

__all__ = ["HMETransformer"]

OUTPUTS = ("gate", "weighted", "experts", "mean")


class HMETransformer(TransformerMixin, Versioned, Followable, BaseEstimator):
    """A mixture as a layer: its gate's probabilities and its experts' outputs as columns, eq. (layer).

    In a pipeline, layers of mixtures can be stacked: the next one sees which regime a row is in and what each expert
    predicts for it.

    Parameters
    ----------
    estimator : HMERegressor, HMEClassifier or None, default=None
        The mixture, which is cloned and fitted to X and y. None is an `HMERegressor`. A fitted mixture inside a
        `FrozenEstimator` is used as it is.
    output : str or sequence of str, default=("gate", "weighted")
        Which columns, in this order: "gate" is the K priors g_k(x), "experts" the experts' means mu_k(x), or their
        probabilities of every class, "weighted" the products of the two, "mean" the sums of these over the experts,
        which are the mixture's own predictions. With two classes, only the second one has columns.
    passthrough : bool, default=False
        Whether to append the columns of X.
    cv : int, splitter, iterable or None, default=None
        How `fit_transform` makes the columns of the rows that the mixture is fitted to, eq. (cross-fitted-layer). With
        None they come from that very mixture: the next layer then learns to trust columns that have seen the targets,
        and does worse on new rows. An int is a number of shuffled folds, stratified by class, that keep groups whole:
        the columns of each fold come from a mixture fitted to the other folds. It starts from the responsibilities of
        the full fit, so that its experts keep their numbers. `fit` and `transform` do not depend on `cv`.

    Attributes
    ----------
    estimator_ : HMERegressor or HMEClassifier
        The mixture of all rows.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has string column names.

    See Also
    --------
    sklearn.ensemble.StackingRegressor : Cross-fitted predictions of several models as columns.

    References
    ----------
    Eigen, D., Ranzato, M. and Sutskever, I. (2013). Learning factored representations in a deep mixture of experts.
    arXiv:1312.4314, section 3; there all layers are trained together by gradients, here one after the other by EM.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from hme import HMERegressor, HMETransformer
    >>> X = np.linspace(-3, 3, 300)[:, None]
    >>> y = np.abs(np.abs(X[:, 0]) - 1.5)
    >>> layers = make_pipeline(HMETransformer(HMERegressor(depth=1)), HMERegressor(depth=1)).fit(X, y)
    >>> layers[0].get_feature_names_out()
    array(['gate_0', 'gate_1', 'weighted_0', 'weighted_1'], dtype=object)
    >>> bool(layers.score(X, y) > HMERegressor(depth=1).fit(X, y).score(X, y))
    True
    """

    def __init__(self, estimator=None, output=("gate", "weighted"), *, passthrough=False, cv=None):
        self.estimator = estimator
        self.output = output
        self.passthrough = passthrough
        self.cv = cv

    # -- fitting -----------------------------------------------------------------------------------------------------

    def fit(self, X, y, sample_weight=None, **arguments):
        """Fit the mixture.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
        **arguments : dict
            Other row arguments of the mixture's `fit`, such as `offset`; with metadata routing, those it requests.

        Returns
        -------
        self
        """
        routed = self._routed("fit", sample_weight=sample_weight, **arguments)
        with followed(self, X, y, sample_weight, 1) as task:
            self._fit(X, y, routed["fit"], task)
        return self

    def fit_transform(self, X, y, sample_weight=None, **arguments):
        """Fit the mixture and return the columns of the same rows, cross-fitted if `cv` is given.

        Parameters
        ----------
        X, y, sample_weight, **arguments
            As for `fit`.

        Returns
        -------
        ndarray or sparse matrix of shape (n, q)
        """
        routed = self._routed("fit_transform", sample_weight=sample_weight, **arguments)
        with followed(self, X, y, sample_weight, 2) as task:
            self._fit(X, y, routed["fit"], task)
            if self.cv in (None, 1) or isinstance(self._estimator(), FrozenEstimator):
                return self._table(self._columns(self.estimator_, X, routed["predict"]), X)
            return self._table(self._cross_fitted(X, y, routed, task.part("folds", None)), X)

    def _fit(self, X, y, arguments, task):
        outputs = self._outputs() if isinstance(self.output, str | list | tuple) else ()
        if not outputs or len(set(outputs)) < len(outputs) or not set(outputs) <= set(OUTPUTS):
            raise ValueError(f"output = {self.output!r} must be one or several of {', '.join(map(repr, OUTPUTS))}.")
        if isinstance(self.cv, bool | str) or (isinstance(self.cv, int) and self.cv < 1):
            raise ValueError(f"cv = {self.cv!r} must be None, an int >= 1, a splitter or an iterable of splits.")
        check_choice(self.passthrough, "passthrough", (True, False))
        model = self._estimator()
        given = model.estimator if isinstance(model, FrozenEstimator) else model
        if not isinstance(given, BaseHME):
            raise TypeError(f"estimator = {self.estimator!r} must be None, an HMERegressor or an HMEClassifier.")
        mixture = clone(model)
        with task.part("mixture", begin=False).around(mixture):
            self.estimator_ = mixture.fit(X, y, **arguments)
        self.n_features_in_ = self.estimator_.n_features_in_
        if hasattr(self.estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.estimator_.feature_names_in_
        elif hasattr(self, "feature_names_in_"):  # of an earlier fit
            del self.feature_names_in_

    def _cross_fitted(self, X, y, routed, task):
        """Columns of each fold from a mixture that is fitted to the others, eq. (cross-fitted-layer)."""
        full, table, target = self.estimator_, as_table(X), np.asarray(y)
        given = {name: value for name, value in routed["fit"].items() if name in ("offset", "trials", "groups")}
        # The fits to folds start where the full one ended, so that their experts are the same, in the same order.
        resp = full.responsibilities(X, y, **given)
        columns, arguments = None, dict(routed["fit"])
        if arguments.get("labels") is not None:
            arguments["labels"] = full.labels_as_fitted(arguments["labels"])
        groups = arguments.get("groups")
        for train, test in self._folds(target, groups).split(np.zeros(len(target)), target, groups):
            settings = full.as_fitted() | {"start": resp[train], "n_init": 1, "n_finalists": None}
            part = clone(self._estimator()).set_params(**settings)
            with task.part("fold", begin=False).around(part):
                part.fit(_safe_indexing(table, train), target[train], **_cut(arguments, train, len(target)))
            if is_classifier(full) and len(part.classes_) < len(full.classes_):
                raise ValueError(f"a fold of cv = {self.cv!r} leaves no row of some class; use fewer folds.")
            answer = self._columns(part, _safe_indexing(table, test), _cut(routed["predict"], test, len(target)))
            if columns is None:
                columns = np.full((len(target), answer.shape[1]), np.nan)
            columns[test] = answer
        task.end()
        if np.isnan(columns).any():
            raise ValueError(f"cv = {self.cv!r} must put every row in a fold that is left out.")
        return columns

    def _folds(self, y, groups):
        """The splitter; an int stands for shuffled folds, always the same ones, that keep groups whole."""
        if isinstance(self.cv, int) and not isinstance(self.cv, bool):
            if groups is not None:
                return StratifiedGroupKFold(self.cv) if is_classifier(self.estimator_) else GroupKFold(self.cv)
            folds = StratifiedKFold if is_classifier(self.estimator_) else KFold
            return folds(self.cv, shuffle=True, random_state=0)
        return check_cv(self.cv, y, classifier=is_classifier(self.estimator_))

    def _estimator(self):
        return HMERegressor() if self.estimator is None else self.estimator

    def _outputs(self):
        return (self.output,) if isinstance(self.output, str) else tuple(self.output)

    # -- columns -----------------------------------------------------------------------------------------------------

    def transform(self, X, **arguments):
        """Columns of rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        **arguments : dict
            Row arguments of the mixture's `predict`, such as `offset`.

        Returns
        -------
        ndarray or sparse matrix of shape (n, q)
        """
        check_is_fitted(self)
        return self._table(self._columns(self.estimator_, X, self._routed("transform", **arguments)["predict"]), X)

    def _columns(self, model, X, arguments):
        gate = model.gate_proba(X)
        experts = model.predict_experts(X, **arguments)
        experts = experts.reshape(*gate.shape, -1)
        if is_classifier(model) and experts.shape[2] == 2:
            experts = experts[:, :, 1:]
        weighted = gate[:, :, None] * experts
        parts = {"gate": gate, "weighted": weighted, "experts": experts, "mean": weighted.sum(axis=1)}
        return np.hstack([parts[name].reshape(len(gate), -1) for name in self._outputs()])

    def _table(self, columns, X):
        if not self.passthrough:
            return columns
        X = check_array(X, accept_sparse="csr", dtype=np.float64)
        return sp.hstack([columns, X], format="csr") if sp.issparse(X) else np.hstack([columns, X])

    def get_feature_names_out(self, input_features=None):
        """Names of the columns.

        Parameters
        ----------
        input_features : array-like of str or None
            Names of the columns of X; by default those seen in fit, else ``x0``, ``x1``, ...

        Returns
        -------
        ndarray of str
            ``gate_0``, ``weighted_0`` and so on for the first expert; with several outputs or classes
            ``weighted_0_setosa``.
        """
        check_is_fitted(self)
        seen = getattr(self, "feature_names_in_", None)
        if input_features is None:
            given = seen if seen is not None else [f"x{j}" for j in range(self.n_features_in_)]
        else:
            given = list(input_features)
            if seen is not None and given != list(seen):
                raise ValueError("input_features is not equal to feature_names_in_.")
            if len(given) != self.n_features_in_:
                wanted = self.n_features_in_
                raise ValueError(f"input_features should have length equal to number of features, {wanted}.")
        model, names = self.estimator_, []
        leaves, ends = range(model.n_experts_), [f"_{end}" if end != "" else "" for end in self._ends()]
        for output in self._outputs():
            if output == "gate":
                names += [f"gate_{k}" for k in leaves]
            elif output == "mean":
                names += [f"mean{end}" for end in ends]
            else:
                names += [f"{output}_{k}{end}" for k in leaves for end in ends]
        return np.array([*names, *given] if self.passthrough else names, dtype=object)

    def _ends(self):
        """What tells the columns of one expert apart."""
        if is_classifier(self.estimator_):
            classes = self.estimator_.classes_
            return classes if len(classes) > 2 else classes[1:]
        n_outputs = self.estimator_.target_.n_outputs
        return range(n_outputs) if n_outputs > 1 else [""]

    # -- metadata routing and tags -------------------------------------------------------------------------------------

    def _routed(self, method, **arguments):
        """Arguments for the mixture's `fit` and `predict`."""
        given = {name: value for name, value in arguments.items() if value is not None}
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, method, **given)["estimator"]
        else:
            routed = {"fit": given, "predict": given}
        allowed = routed.get("predict", {})
        predict = {name: allowed[name] for name in ("offset", "trials") if name in allowed}
        return {"fit": routed.get("fit", {}), "predict": predict}

    def get_metadata_routing(self):
        """The routes of row arguments, for scikit-learn's metadata routing.

        Returns
        -------
        MetadataRouter
        """
        mapping = MethodMapping()
        for caller, callee in (("fit", "fit"), ("fit_transform", "fit"), ("fit_transform", "predict"),
                               ("transform", "predict")):  # fmt: skip
            mapping.add(caller=caller, callee=callee)
        return MetadataRouter(owner=type(self).__name__).add(estimator=self._estimator(), method_mapping=mapping)

    def __sklearn_tags__(self):
        tags, inner = super().__sklearn_tags__(), get_tags(self._estimator())
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.target_tags.required = True
        tags.target_tags.multi_output = inner.target_tags.multi_output
        tags.target_tags.positive_only = inner.target_tags.positive_only
        return tags


def _cut(arguments, index, n_rows):
    """Row arguments of some rows; a single number belongs to all rows."""
    return {
        name: np.asarray(value)[index] if np.ndim(value) and len(value) == n_rows else value
        for name, value in arguments.items()
    }
