"""What both stacking estimators share: two levels fitted one after the other, and the way of new rows through both."""

import warnings
from abc import abstractmethod
from functools import partial

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import TransformerMixin, clone
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted, validate_data

from ..estimators.inputs import unchanged_on_error
from ..estimators.reading import as_table
from ..estimators.storing import Versioned
from ..gates import SoftmaxGate
from ..model.parts import quiet
from ..model.refits import tag_of
from ..numerics.checks import check_choice
from ..numerics.engine import threads
from ..progress import Followable, followed
from .composition import Composition
from .cross_fitting import cross_fitted, folds_of, of_fitted, predictions_of
from .defaults import default_models
from .final import Candidate, Problem, choose
from .level_one import LevelOne
from .sources import read
from .worth import ablated, expert_weights

__all__ = ["BaseStacking"]

GATE_ALPHA = 1.0
MOST_SWEEPS = 100
TOL = 1e-3  # nats per unit of weight still to be had, in the mixture over the models


class BaseStacking(TransformerMixin, Versioned, Followable, Composition):
    """A mixture of experts over the predictions of several models.

    A subclass says what the target is, how predictions become columns, which mixture a candidate is and how it is
    scored.

    Attributes
    ----------
    method : str
        Of the models: "predict" or "predict_proba".
    measure : str
        Of the errors in `choice_`.
    mixtures : class
        Of the mixture over the models.
    corrects : bool
        Whether `_correct` asks for models of fewer rows.
    """

    corrects = False

    def __init__(
        self,
        estimators=None,
        final_estimator=None,
        *,
        cv=None,
        passthrough=False,
        positive=True,
        gate_features=None,
        n_jobs=None,
        random_state=None,
    ):
        self.estimators = estimators
        self.final_estimator = final_estimator
        self.cv = cv
        self.passthrough = passthrough
        self.positive = positive
        self.gate_features = gate_features
        self.n_jobs = n_jobs
        self.random_state = random_state

    # -- what differs between the tasks --------------------------------------------------------------------------------

    @abstractmethod
    def _read_target(self, y):
        """The validated target (n,) of a fit."""

    @abstractmethod
    def _learn_values(self, y):
        """Keep which values the target takes in the rows that have weight."""

    @abstractmethod
    def _columns_of(self, predictions):
        """Columns (n, q) of the second level from predictions (n, M) or (n, M, C)."""

    @abstractmethod
    def _column_names(self, names):
        """Names of these columns, from those of the models."""

    @abstractmethod
    def _experts(self, candidate, level, table, y, weight):
        """The experts of a `Candidate` for these rows, on columns as a `LevelOne` calls them."""

    @abstractmethod
    def _scores(self, fitted, table, y):
        """Log scores (n,) and losses (n,) of a fitted mixture."""

    def _correct(self, columns, first, y):
        """What else is learned from the first level, once the second one is fitted."""

    # -- fitting -------------------------------------------------------------------------------------------------------

    def fit(self, X, y, sample_weight=None, *, groups=None, **fit_params):
        """Fit the models, and the mixture of experts to what they predict for rows that they have not seen.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)
            The models get it as it is. For the gate, and for the default models, text and categories become indicators,
            and gaps are filled and marked.
        y : array-like of shape (n,)
        sample_weight : array-like of shape (n,) or None
            Not negative; a weight of 2 is the same as the row twice. Models whose `fit` takes no weights are fitted
            without, and a warning names them.
        groups : array-like of shape (n,) or None
            What belongs together, such as the rows of one person or site: folds keep groups whole. Where new rows will
            come from other groups, folds that cut through groups make the models look better than they are, and
            intervals too narrow.
        **fit_params : dict
            With scikit-learn's metadata routing, other arguments that the models request.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the parameter, its value and what is allowed; or the model that failed, and why.
        """
        with followed(self, X, y, sample_weight, 2) as task, unchanged_on_error(self):
            said, category = self._fit(X, y, sample_weight, groups, fit_params, task)
        if said:
            warnings.warn(f"{type(self).__name__}: {'; '.join(said)}.", category, stacklevel=2)
        return self

    def _fit(self, X, y, sample_weight, groups, fit_params, task):
        check_choice(self.passthrough, "passthrough", (False, True))
        check_choice(self.positive, "positive", (False, True))
        prefit = isinstance(self.cv, str) and self.cv == "prefit"
        if prefit and self.estimators is None:
            raise ValueError("cv = 'prefit' needs estimators that are fitted; the default ones are not.")
        models = None if self.estimators is None else self._models(self.method)
        sources, groups, kept = read(self, X, y, sample_weight, groups, fit_params)
        seed = 0 if self.random_state is None else int(check_random_state(self.random_state).randint(2**31 - 1))
        level, columns = LevelOne.fit(self.gate_features, sources.table, self.input_names())
        folds = folds_of(None if prefit else self.cv, sources, columns, groups, kept)
        searched = {}
        if models is None:
            models, searched = default_models(sources, folds, seed)
        first = (
            of_fitted(models, sources)
            if prefit
            else cross_fitted(models, sources, folds, self.n_jobs, self.corrects, task)
        )
        names = [name for name, _ in models]
        self.level_one_ = level.over(self._column_names(names), self.passthrough)
        predicted = self._columns_of(first.predictions)
        problem = Problem.of(self.level_one_, predicted, columns, sources.y, sources.weight, folds, self.measure)
        # The default models are ours; what they warn of is nothing that a user could mend.
        said = first.said if self.estimators is not None else []
        with threads(self.n_jobs):
            caught = self._fit_final(problem, names, seed, task.part("mixture", begin=False))
        self._correct(columns, first, sources.y)
        self.estimators_, self.names_, self._seed = first.models, names, seed
        rows = np.flatnonzero(kept)
        self.folds_ = [(rows[train], rows[test]) for train, test in folds]
        spent = zip(names, first.seconds.tolist(), strict=True)
        self.seconds_ = {name: seconds + searched.get(name, 0.0) for name, seconds in spent}
        self.named_estimators_ = Bunch(**dict(zip(names, first.models, strict=True)))
        self.named_estimators_.update({name: "drop" for name, _ in self._pairs() if name not in names})
        self.cross_fitted_predictions_ = np.full((len(kept), *first.predictions.shape[1:]), np.nan)
        self.cross_fitted_predictions_[kept] = first.predictions
        category = UserWarning if said or not caught else caught[0].category
        return [*said, *(f"final_estimator: {str(one.message).rstrip('.')}" for one in caught)], category

    def _fit_final(self, problem, names, seed, task):
        """Choose and fit the mixture over the models; what the user's mixture warns of."""
        if self.final_estimator is not None:
            self.choice_, final = None, self._given_final(*problem.seen, level=self.level_one_, seed=seed)
        else:
            with quiet():
                self.choice_ = choose(
                    problem, partial(self._mixture, level=self.level_one_, seed=seed), self._scores, len(names) > 1
                )
            final = self._mixture(self.choice_.chosen, *problem.seen, level=self.level_one_, seed=seed)
        with quiet() as caught, task.around(final):
            self.final_estimator_ = final.fit(*problem.seen)
        # What a mixture that was chosen here warns of has been counted by its log score.
        return caught if self.final_estimator is not None else []

    def _mixture(self, candidate, table, y, weight, *, level, seed):
        """The mixture of a `Candidate` for these rows, not fitted."""
        experts, gates = level.sides
        return self.mixtures(
            depth=candidate.depth,
            expert=self._experts(candidate, level, table, y, weight),
            gate=SoftmaxGate(alpha=GATE_ALPHA),
            expert_features=experts,
            gate_features=gates,
            start="model_tree",
            tol=TOL,
            max_iter=MOST_SWEEPS,
            random_state=seed,
        )

    def _given_final(self, table, y, weight, *, level, seed):
        """The mixture that the user has given for these rows, not fitted, with columns as a `LevelOne` says."""
        if not isinstance(self.final_estimator, self.mixtures):
            raise TypeError(f"final_estimator = {self.final_estimator!r} must be None or an {self.mixtures.__name__}.")
        final = clone(self.final_estimator)
        experts, gates = level.sides
        unset = {"expert_features": experts, "gate_features": gates, "random_state": seed}
        unset["expert"] = self._experts(Candidate(1, 1), level, table, y, weight)
        return final.set_params(**{name: value for name, value in unset.items() if getattr(final, name) is None})

    def input_names(self):
        """Names of the columns of X.

        Returns
        -------
        list of length p
            Those of the table that the model was fitted to, else x0, x1, ...
        """
        return list(getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)]))

    # -- the way of new rows -------------------------------------------------------------------------------------------

    def transform(self, X):
        """What the models predict: the columns that the experts combine.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n, M), of classes (n, M C)
            Of a classifier the logarithms of the clipped probabilities.
        """
        return self._columns_of(self.predict_models(X))

    def predict_models(self, X):
        """What each model predicts.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n, M), of classes (n, M, C)
            Means, or probabilities of the classes.
        """
        table, classes = self._table(X), getattr(self, "classes_", None)
        answers = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(predictions_of)(name, model, table, classes)
            for name, model in zip(self.names_, self.estimators_, strict=True)
        )
        return np.stack(answers, axis=1)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of `transform`.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        return np.array(self.level_one_.predicted, dtype=object)

    def level_one(self, X):
        """The table that `final_estimator_` sees: what the models predict, then the prepared columns of X.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray or sparse matrix of shape (n, M + q)
        """
        predicted = self._columns_of(self.predict_models(X))
        return self.level_one_.join(predicted, self.level_one_.columns(self._table(X)))

    def _table(self, X):
        check_is_fitted(self)
        table = as_table(X)
        if len(table.shape) != 2:
            raise ValueError(f"Expected 2D array, got X of shape {table.shape} instead. Reshape your data.")
        validate_data(self, table, reset=False, skip_check_array=True)
        return table

    def gate_proba(self, X):
        """Prior of every expert, from x alone, eq. (prior).

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n, K)
        """
        table = self.level_one(X)
        return self.final_estimator_.gate_proba(table)

    def responsibilities(self, X, y):
        """Posterior of every expert, having seen y, eq. (responsibility).

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)
        y : array-like of shape (n,)

        Returns
        -------
        ndarray of shape (n, K)
        """
        table = self.level_one(X)
        return self.final_estimator_.responsibilities(table, y)

    # -- which model when ----------------------------------------------------------------------------------------------

    def estimator_weights(self, X):
        """How much each model counts for a row: the sum over experts of prior times weight, eq. (model-weight).

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n, M)
            Not negative. The sum of a row is near one for numbers where the models are unbiased; for classes it is
            above one where the mixture is surer than its models.

        Raises
        ------
        ValueError
            Where weights mean nothing, because they may be negative or columns of X share in the prediction. `ablation`
            tells what a model is worth there too.
        """
        check_is_fitted(self)
        weights = expert_weights(self)
        return self.gate_proba(X) @ weights

    def ablation(self, X, y, sample_weight=None):
        """What each model is worth: held-out scores of the mixture without it, and what it costs.

        Parameters
        ----------
        X, y, sample_weight
            The rows of the fit.

        Returns
        -------
        Table
            A row for each model: log score and error of the mixture without it, what is lost by leaving it out, and the
            CPU seconds of its fits. The mixture keeps its kind and depth, and is fitted to the same cross-fitted
            predictions without those of the model, on the folds of the fit.
        """
        check_is_fitted(self)
        return ablated(self, X, y, sample_weight)

    # -- for scikit-learn ----------------------------------------------------------------------------------------------

    def get_metadata_routing(self):
        """The routes of row arguments, for scikit-learn's metadata routing.

        Returns
        -------
        MetadataRouter
        """
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        models = {name: model for name, model in self._pairs() if not isinstance(model, str)}
        return router.add(**models, method_mapping=MethodMapping().add(caller="fit", callee="fit"))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        models = [model for _, model in self._pairs() if not isinstance(model, str)]
        default = self.estimators is None
        tags.input_tags.allow_nan = default or all(tag_of(m, lambda t: t.input_tags.allow_nan) for m in models)
        tags.input_tags.string = default
        tags.input_tags.sparse = bool(models) and all(tag_of(m, lambda t: t.input_tags.sparse) for m in models)
        return tags
