"""Boosting with settings chosen on training rows: 25 random ones, tried on one fifth held out of them."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import GroupShuffleSplit, train_test_split

__all__ = ["SPACE", "drawn_settings", "hold_out", "tuned_histograms", "tuned_lightgbm"]

N_SETTINGS = 25
PATIENCE = 20  # trees without a better loss on the rows held out
MOST_TREES = {"regression": 500, "classes": 200}
SPACE = """rate log-uniform in 0.03 to 0.3, leaves 4, 8, 16, 31 or 63, least rows of a leaf 3, 5, 10, 20 or 40, L2
log-uniform in 0.0001 to 10, share of columns uniform in 0.4 to 1"""


def drawn_settings(n=N_SETTINGS, seed=0):
    """The settings that are tried, the same for every table."""
    rng = np.random.default_rng(seed)
    return [
        {
            "rate": float(np.exp(rng.uniform(np.log(0.03), np.log(0.3)))),
            "leaves": int(rng.choice([4, 8, 16, 31, 63])),
            "least": int(rng.choice([3, 5, 10, 20, 40])),
            "l2": float(np.exp(rng.uniform(np.log(1e-4), np.log(10.0)))),
            "columns": float(rng.uniform(0.4, 1.0)),
        }
        for _ in range(n)
    ]


def hold_out(training, classes):
    """Numbers of the rows to fit to and of those held out: a fifth, of whole groups where there are groups."""
    rows = np.arange(len(training.y))
    if training.groups is not None:
        return next(GroupShuffleSplit(1, test_size=0.2, random_state=0).split(rows, groups=training.groups))
    return train_test_split(rows, test_size=0.2, random_state=0, stratify=training.y if classes else None)


def _histograms(setting, classes, **trees):
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    return kind(
        learning_rate=setting["rate"],
        max_leaf_nodes=setting["leaves"],
        min_samples_leaf=setting["least"],
        l2_regularization=setting["l2"],
        max_features=setting["columns"],
        random_state=0,
        **trees,
    )


def tuned_histograms(training, classes):
    """scikit-learn's boosting with the best of the settings and its number of trees, not fitted."""
    X, y, _ = training
    fit, out = hold_out(training, classes)
    best = None
    for setting in drawn_settings():
        trees = MOST_TREES["classes" if classes else "regression"]
        model = _histograms(setting, classes, max_iter=trees, early_stopping=True, n_iter_no_change=PATIENCE)
        model.fit(X[fit], y[fit], X_val=X[out], y_val=y[out])
        score = np.asarray(model.validation_score_)  # less loss is larger; the first is without trees
        if best is None or score.max() > best[0]:
            best = score.max(), setting, max(int(np.argmax(score)), 1)
    return _histograms(best[1], classes, max_iter=best[2], early_stopping=False)


def _lightgbm(setting, classes, trees):
    import lightgbm

    kind = lightgbm.LGBMClassifier if classes else lightgbm.LGBMRegressor
    return kind(
        learning_rate=setting["rate"],
        num_leaves=setting["leaves"],
        min_child_samples=setting["least"],
        reg_lambda=setting["l2"],
        colsample_bytree=setting["columns"],
        n_estimators=trees,
        random_state=0,
        n_jobs=1,
        verbose=-1,
    )


def tuned_lightgbm(training, classes):
    """LightGBM with the best of the settings and its number of trees, not fitted."""
    import lightgbm

    X, y, _ = training
    fit, out = hold_out(training, classes)
    best = None
    for setting in drawn_settings():
        model = _lightgbm(setting, classes, MOST_TREES["classes" if classes else "regression"])
        stopping = lightgbm.early_stopping(PATIENCE, verbose=False)
        model.fit(X[fit], y[fit], eval_set=[(X[out], y[out])], callbacks=[stopping])
        (loss,) = model.best_score_["valid_0"].values()
        if best is None or loss < best[0]:
            best = loss, setting, max(model.best_iteration_, 1)
    return _lightgbm(best[1], classes, best[2])
