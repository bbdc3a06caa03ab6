"""The results of a cross-validation in scikit-learn's form."""

import numpy as np

__all__ = ["results_of"]


def results_of(race, candidates, weights):
    """A dict of arrays whose first axis is the candidate, such as GridSearchCV's `cv_results_`.

    Parameters
    ----------
    race : Race
    candidates : list of dict
    weights : ndarray of shape (number of candidates,)

    Returns
    -------
    dict
    """
    found, n = {}, len(candidates)
    for step in ("fit", "score"):
        times = [[getattr(one, f"{step}_time") for one in fitted] for fitted in race.fitted]
        found[f"mean_{step}_time"] = np.array([np.mean(own) for own in times])
        found[f"std_{step}_time"] = np.array([np.std(own) for own in times])
    for key in sorted({key for params in candidates for key in params}):
        values = np.ma.masked_all(n, dtype=object)
        for c, params in enumerate(candidates):
            if key in params:
                values[c] = params[key]
        found[f"param_{key}"] = values
    found["params"] = candidates
    scores = np.full((race.n_folds, n), np.nan)
    for c, fitted in enumerate(race.fitted):
        for f, one in enumerate(fitted[: race.n_folds]):
            scores[f, c] = one.weight @ one.log_score / one.weight.sum()
    found |= {f"split{f}_test_score": scores[f] for f in range(race.n_folds)}
    means = np.array([race.mean(c) for c in range(n)])
    found["mean_test_score"] = means
    found["std_test_score"] = np.nanstd(scores, axis=0)
    dropped = ~np.isin(np.arange(n), race.alive)
    found["dropped"] = dropped
    rank = np.empty(n, dtype=np.int32)
    rank[np.lexsort((-means, dropped))] = np.arange(1, n + 1)
    found["rank_test_score"] = rank
    found["weight"] = weights
    return found
