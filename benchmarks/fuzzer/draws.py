"""Draws: a configuration from a seed and a number."""

import inspect

import numpy as np

from hme.registry import EXPERTS, GATES

from .configurations import Configuration
from .tables import WEIGHTS, draw_columns, draw_target, grouped_columns

__all__ = ["LEFT_OUT", "OPTIONS", "SETTINGS", "TARGETS", "draw"]

# The domains of targets that suit each family, see `tables.DOMAINS`.
TARGETS = {
    "linear": ["real", "real", "two outputs"],
    "constant": ["real", "two outputs"],
    "gaussian": ["positive"],
    "student": ["real"],
    "laplace": ["real"],
    "poisson": ["counts"],
    "negative_binomial": ["counts"],
    "binomial": ["shares"],
    "gamma": ["positive"],
    "inverse_gaussian": ["positive"],
    "logistic": ["classes"],
    "pool": ["classes"],
    "tree": ["real", "two outputs"],
    "background": ["real", "two outputs"],
    "point_mass": ["zeros"],
    "list": ["real", "counts", "positive", "zeros"],
    "estimator": ["real", "two outputs"],
}
CLASSIFIERS = ["logistic", "logistic", "logistic", "constant", "tree", "estimator", "list", "pool"]
ONLY_CLASSES = {"logistic", "pool"}

# Values of the families' options, as source, by their names; several families share them.
OPTIONS = {
    "alpha": ["0.0", "0.0", "1e-3", "1.0", "100.0"],
    "l1_ratio": ["0.5", "1.0"],
    "shrink_to": ["'global'", "'zero'"],
    "scale_penalty": ["False"],
    "variance_prior": ["None", "(5.0, 0.5)"],
    "variance_floor": ["1e-8", "1e-3"],
    "dispersion_prior": ["None"],
    "dispersion_floor": ["1e-8"],
    "shared_variance": ["True"],
    "shared_dispersion": ["True"],
    "shared_df": ["True"],
    "shared_weights": ["True"],
    "covariance": ["'full'"],
    "shared_coef": ["True", "[0]", "['intercept']"],
    "fixed_coef": ["{0: 0.5}", "{'intercept': 0.0}"],
    "nonnegative": ["True", "[0]"],
    "link": ["'log'", "'inverse'"],
    "df": ["3.0", "1.5", "'estimate'"],
    "zero_truncated": ["True"],
    "n_trials": ["5"],
    "max_depth": ["1", "2", "None"],
    "min_weight_leaf": ["0.5", "5.0"],
    "max_leaf_nodes": ["3"],
    "pooling": ["0.3"],
    "noise": ["'student'", "'laplace'"],
    "cv": ["None", "2"],
    "smoothing": ["0.1"],
    "distribution": ["'uniform'"],
    "width": ["1.0", "4.0"],
    "share": ["0.3"],
    "at": ["1.0"],
    "covariance_type": ["'tied'", "'diag'"],
    "covariance_prior": ["None"],
    "covariance_floor": ["1e-8"],
    "k": ["1", "2"],
    "balance": ["1.5"],
    "commit": ["0.0"],
    "dense_sweeps": ["5"],
    "max_stages": ["2"],
    "stage_sweeps": ["3"],
}
OPTIONS_OF = {"GaussianExpert": {"link": ["'identity'"]}}  # of one family alone
LISTS = {
    "real": ["LinearExpert()", "StudentExpert()", "ConstantExpert()", "BackgroundExpert()", "LaplaceExpert(alpha=1.0)"],
    "counts": ["PoissonExpert()", "PoissonExpert(alpha=0.0)", "NegativeBinomialExpert()", "PointMassExpert()"],
    "positive": ["GammaExpert()", "InverseGaussianExpert()", "GaussianExpert()", "GammaExpert(shared_coef=[0])"],
    "zeros": ["PoissonExpert()", "PointMassExpert()"],
    "classes": ["LogisticExpert()", "ConstantExpert()", "LogisticExpert(alpha=1.0)"],
}
ESTIMATORS = {
    "regression": [
        "Ridge()", "EstimatorExpert(DecisionTreeRegressor(max_depth=2), cv=None)",
        "EstimatorExpert(KNeighborsRegressor(2), cv=2)", "EstimatorExpert(LinearRegression(), 'student', cv=None)",
    ],
    "classification": ["EstimatorExpert(DecisionTreeClassifier(max_depth=2), cv=2)", "LogisticRegression()"],
}  # fmt: skip
GATE_SOURCES = ["FixedGate(sides)", "EstimatorGate(LogisticRegression(), cv=None)"]

# Values of the estimator's own settings beside depth, families and start, and how often they are not the default.
SETTINGS = {
    "standardize": (["False"], 0.15),
    "algorithm": (["'hard'", "'stochastic'", "('stochastic', 'em')", "('hard', 'em')"], 0.2),
    "n_init": (["2", "4"], 0.2),
    "on_empty": (["'reseed'", "'raise'", "'drop'"], 0.2),
    "prefer": (["'likelihood'", "'interior'"], 0.2),
    "accelerate": (["False"], 0.1),
    "hold_range": (["False"], 0.1),
    "tol": (["1e-2", "1e-9"], 0.3),
    "random_state": (["1", "2"], 0.5),
    "expert_features": (
        ["[0]", "[]", "slice(0, 1)", "StandardScaler()", "PolynomialFeatures(2, include_bias=False)"], 0.1
    ),
    "gate_features": (["[0]", "[]", "SplineTransformer(4)", "make_pipeline(StandardScaler())"], 0.1),
}  # fmt: skip
TREES = [
    {"depth": "0"}, {"depth": "1"}, {"depth": "1"}, {"depth": "1"}, {"depth": "2"}, {"depth": "1", "branching": "3"},
    {"depth": "'auto'"}, {"n_experts": "2"}, {"n_experts": "3"}, {"tree": "'((. .) .)'"}, {"n_experts": "1"},
]  # fmt: skip
GROWTH = {  # of an automatic depth
    "max_experts": "5", "min_weight_fraction_leaf": "0.1", "average": "False",
    "candidates": "[{}, {'expert_features': 'splines'}]",
}  # fmt: skip
STOPPING = {"early_stopping": "True", "validation_fraction": "0.3", "n_iter_no_change": "3"}
STARTS = ["model_tree", "directions", "hyperplanes", "perturbed_model_tree", "kmeans"]
# Parameters that are not drawn, and why.
LEFT_OUT = {
    "expert": "drawn first",
    "gate": "drawn first",
    "depth": "drawn as TREES",
    "branching": "drawn as TREES",
    "n_experts": "drawn as TREES",
    "tree": "drawn as TREES",
    "max_experts": "drawn as GROWTH",
    "min_weight_fraction_leaf": "drawn as GROWTH",
    "average": "drawn as GROWTH",
    "candidates": "drawn as GROWTH",
    "early_stopping": "drawn as STOPPING",
    "validation_fraction": "drawn as STOPPING",
    "n_iter_no_change": "drawn as STOPPING",
    "start": "drawn as STARTS, or given",
    "max_iter": "small",
    "n_finalists": "drawn with n_init",
    "warm_start": "a check",
    "n_jobs": "a check",
    "callback": "of no influence on what is fitted",
    "verbose": "of no influence on what is fitted",
    "class_weight": "drawn for classifiers",
    "estimator": "drawn as ESTIMATORS",
    "proba": "drawn as GATE_SOURCES",
}
MANY = 12  # experts, for tables of few rows
SLOW_SWEEPS, STAGES = 3, 3  # of experts or gates that are refitted


def draw(seed, number):
    """The configuration of a seed and a number."""
    rng = np.random.default_rng((seed, number))
    task = "regression" if rng.random() < 0.75 else "classification"
    name = _pick(rng, CLASSIFIERS if task == "classification" else [n for n in TARGETS if n not in ONLY_CLASSES])
    domain = "classes" if task == "classification" else _pick(rng, TARGETS[name])
    X, ugly = draw_columns(rng)
    y, ugly_y = draw_target(rng, X, domain)
    if name == "pool":  # as many columns for every model as there are classes
        X = X[:, np.arange(len(np.unique(y)) * int(rng.integers(1, 4))) % X.shape[1]]
    shape = _tree(rng, name)
    expert = _expert(rng, name, task, domain, shape)
    if "zero_truncated=True" in expert and rng.random() < 0.95:
        y = y + 1.0
    gate = _gate(rng, shape, name)
    settings = {**shape, "expert": expert, "gate": gate, **_settings(rng)}
    if shape.get("depth") == "'auto'":
        own = np.random.default_rng((seed, number, 1))
        settings |= {option: value for option, value in GROWTH.items() if own.random() < 0.3}
    if np.random.default_rng((seed, number, 2)).random() < 0.05:  # its own numbers leave other draws as they are
        settings |= STOPPING
    if name in ("tree", "estimator") or "Estimator" in gate or "'tree'" in gate:
        settings["max_iter"] = str(SLOW_SWEEPS)
        # Every stage of a routed gate has so many sweeps, each of six fits of scikit-learn's for an expert: with four
        # starts of twenty stages thousands, which take ten seconds on a busy machine and are no defect.
        settings["gate"] = (
            gate if "max_stages" in gate else gate.replace("TopKGate(", f"TopKGate(max_stages={STAGES}, ")
        )
        settings |= {"n_experts": "4"} if shape == {"n_experts": str(MANY)} else {}
    if name == "logistic" and rng.random() < 0.15:
        settings["class_weight"] = _pick(rng, ["'balanced'", "{0: 2.0}"])
    form = _pick(rng, ["array", "array", "array", "fortran", "list", "sparse", "frame"])
    if form == "sparse" and {"far_from_zero", "nearly_constant"} & set(ugly):  # refused: sparse columns are not centred
        form = "array"
    made = Configuration(task, settings, X, y, {}, form, domain, (*ugly, *ugly_y))
    return _with_row_arguments(rng, made, name)


def _pick(rng, values):
    return values[int(rng.integers(len(values)))]


def _options(rng, family):
    """Arguments of a family, as source: some of its options are not at their default."""
    options = {**OPTIONS, **OPTIONS_OF.get(family.__name__, {})}
    known = [name for name in inspect.signature(family).parameters if name in options]
    share = _pick(rng, [0.0, 0.15, 0.3])
    return ", ".join(f"{name}={_pick(rng, options[name])}" for name in known if rng.random() < share)


def _tree(rng, name):
    if name == "list":
        return {"n_experts": str(int(rng.integers(2, 4)))}
    shape = dict(_pick(rng, TREES))
    return {"n_experts": str(MANY)} if rng.random() < 0.03 else shape


def _expert(rng, name, task, domain, shape):
    if name == "estimator":
        return _pick(rng, ESTIMATORS[task])
    if name == "list":
        members = [_pick(rng, LISTS[domain]) for _ in range(int(shape["n_experts"]))]
        return "[" + ", ".join(f"('e{k}', {member})" for k, member in enumerate(members)) + "]"
    options = _options(rng, EXPERTS[name])
    return f"{EXPERTS[name].__name__}({options})" if options or rng.random() < 0.5 else repr(name)


def _gate(rng, shape, name):
    if rng.random() < 0.4:
        return _pick(rng, ["None", "'constant'"])
    if rng.random() < 0.1:
        source = _pick(rng, GATE_SOURCES)
        if "sides" in source:
            if name == "list" and shape != {"n_experts": "3"}:
                return "None"
            shape.clear()
            shape["n_experts"] = "3"
        return source
    name = _pick(rng, [*GATES, "softmax", "softmax", "softmax"])
    return f"{GATES[name].__name__}({_options(rng, GATES[name])})"


def _settings(rng):
    settings = {name: _pick(rng, values) for name, (values, share) in SETTINGS.items() if rng.random() < share}
    settings["max_iter"] = str(int(rng.integers(1, 30)))
    settings.setdefault("random_state", "0")  # the same numbers in every run
    if rng.random() < 0.3:
        settings["start"] = repr(_pick(rng, STARTS))
    if "n_init" in settings and rng.random() < 0.3:
        settings["n_finalists"] = "1"
    return settings


def _with_row_arguments(rng, made, name):
    """With weights, offset, trials, groups, labels and a start for each row; some of them where they are refused."""
    n, aligned = len(made.X), {}
    if rng.random() < 0.4:
        kind = _pick(rng, WEIGHTS)
        aligned["sample_weight"] = kind(rng, n)
        made = Configuration(**{**vars(made), "ugly": (*made.ugly, f"{kind.__name__} weights")})
    taken = EXPERTS[name]().traits.row_arguments if name in EXPERTS else ()
    regression = made.task == "regression"
    if regression and rng.random() < (0.3 if "offset" in taken else 0.01):
        aligned["offset"] = rng.normal(size=n) * 10.0 ** rng.uniform(-3, 1)
    if (
        made.y.ndim == 1
        and regression
        and "n_trials" not in made.settings["expert"]
        and rng.random() < (0.5 if "trials" in taken else 0.01)
    ):
        aligned["trials"] = rng.integers(1, _pick(rng, [2, 10, 10**6]), size=n).astype(float)
        made = Configuration(**{**vars(made), "y": np.round(made.y * aligned["trials"])})
    n_leaves = 3 if "sides" in made.settings["gate"] else int(made.settings.get("n_experts", 0))
    if n_leaves > 1 and rng.random() < 0.2:
        aligned["labels"] = np.where(rng.random(n) < 0.3, rng.integers(n_leaves, size=n), -1)
    if n_leaves > 1 and rng.random() < 0.2:
        start = rng.integers(n_leaves, size=n)
        aligned["start"] = start if rng.random() < 0.5 else rng.dirichlet(np.ones(n_leaves), n)
    if rng.random() < 0.15:
        groups = rng.integers(max(1, n // 3), size=n)
        aligned["groups"] = groups
        for other in ("sample_weight", "labels"):
            if other in aligned:
                aligned[other] = grouped_columns(aligned[other], groups)
        X = grouped_columns(made.X, groups) if rng.random() < 0.7 else made.X
        made = Configuration(**{**vars(made), "X": X})
    return made.with_aligned(**aligned)
