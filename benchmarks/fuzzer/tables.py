"""Ugly tables: columns, targets of every domain, weights and what else comes with the rows.

Every function draws from the generator that it is given, and does one thing to a table.
"""

import numpy as np

__all__ = ["COLUMNS", "DOMAINS", "WEIGHTS", "draw_columns", "draw_target", "grouped_columns"]

FEWEST, MOST_ROWS = 8, 60

# -- columns: functions of (rng, X), which may also change the number of rows ------------------------------------------


def constant(rng, X):
    X[:, 0] = rng.choice([0.0, 1.0, 3.3, -7.3, 1e8, 1e-8])
    return X


def nearly_constant(rng, X):
    X[:, 0] = 3.3
    X[0, 0] = 3.3 * (1 + rng.choice([1e-3, 1e-9, 1e-14]))
    return X


def duplicated(rng, X):
    return np.column_stack([X, X[:, 0]])


def collinear(rng, X):
    return np.column_stack([X, X @ rng.normal(size=X.shape[1]) + rng.choice([0.0, 1e-9]) * rng.normal(size=len(X))])


def wide(rng, X):
    return rng.normal(size=(min(len(X), 10), 14))


def scaled(rng, X):
    return X * 10.0 ** rng.uniform(-12, 12, size=X.shape[1])


def far_from_zero(rng, X):
    return X + 10.0 ** rng.uniform(0, 8) * rng.choice([-1.0, 1.0], size=X.shape[1])


def heavy_tails(rng, X):
    return np.sign(X) * np.abs(X) ** 5


def one_far_row(rng, X):
    X[-1] *= 10.0 ** rng.uniform(2, 8)
    return X


def ties(rng, X):
    return np.round(X)


def rare_level(rng, X):
    X[:, -1] = 0.0
    X[: rng.integers(1, 3), -1] = 1.0
    return X


def repeated(rng, X):
    return X[rng.integers(max(1, len(X) // 4), size=len(X))]


def two_rows_only(rng, X):
    return X[np.arange(len(X)) % 2]


def few_rows(rng, X):
    return X[: rng.integers(1, 5)]


def all_zero(rng, X):
    return np.zeros_like(X)


def mostly_zero(rng, X):
    return X * (rng.random(X.shape) < 0.1)


COLUMNS = [
    constant, nearly_constant, duplicated, collinear, wide, scaled, far_from_zero, heavy_tails, one_far_row, ties,
    rare_level, repeated, two_rows_only, few_rows, all_zero, mostly_zero,
]  # fmt: skip


def draw_columns(rng):
    """A table X (n, p), and the names of what is ugly about it."""
    n, p = int(rng.integers(FEWEST, MOST_ROWS)), int(rng.integers(1, 4))
    X = rng.normal(size=(n, p))
    ugly = [COLUMNS[i] for i in rng.choice(len(COLUMNS), size=rng.choice([0, 1, 1, 2]), replace=False)]
    for spoil in sorted(ugly, key=COLUMNS.index):
        X = spoil(rng, X)
    return X, [spoil.__name__ for spoil in ugly]


def grouped_columns(X, groups):
    """X with one row for each group, that of its first row."""
    return X[np.unique(groups, return_index=True)[1][np.unique(groups, return_inverse=True)[1]]]


# -- targets: a plain one for every domain, from a score of two regimes, and what may be done to it --------------------


def score_of(rng, X):
    """A linear score (n,) of about unit spread that bends where the first column changes its sign."""
    spread = X.std(axis=0)
    Z = (X - X.mean(axis=0)) / np.where(spread > 1e-9 * np.abs(X).max(axis=0), spread, np.inf)
    slope = rng.normal(size=Z.shape[1]) / np.sqrt(Z.shape[1])
    return np.clip(np.where(Z[:, 0] > 0, Z @ slope, 1.0 - 2.0 * Z @ slope), -6.0, 6.0)


def real(rng, score):
    return score + rng.choice([0.1, 0.5, 2.0]) * rng.normal(size=len(score))


def two_outputs(rng, score):
    return np.column_stack([real(rng, score), real(rng, -score)])


def positive(rng, score):
    return np.exp(0.5 * score) * rng.gamma(3.0, 1.0 / 3.0, size=len(score)) + 1e-3


def counts(rng, score):
    return rng.poisson(np.exp(np.minimum(0.5 * score, 4.0)) * rng.gamma(2.0, 0.5, size=len(score))).astype(float)


def positive_counts(rng, score):
    return counts(rng, score) + 1.0


def shares(rng, score):
    return rng.binomial(1, 1.0 / (1.0 + np.exp(-score))).astype(float)


def zeros(rng, score):
    return np.zeros(len(score))


def classes(rng, score):
    return np.digitize(score + rng.normal(size=len(score)), [0.0] if rng.random() < 0.6 else [-0.7, 0.7])


def exact(rng, y, score):
    return score.copy()


def constant_y(rng, y, score):
    return np.full_like(y, y[0])


def rounded(rng, y, score):
    return np.round(y)


def five_points(rng, y, score):
    return np.clip(np.round(y + 3.0), 1.0, 5.0)


def in_other_units(rng, y, score):
    return y * 10.0 ** rng.uniform(-12, 12)


def shifted(rng, y, score):
    return y + rng.choice([-1.0, 1.0]) * 10.0 ** rng.uniform(0, 8)


def outliers(rng, y, score):
    y[rng.integers(len(y), size=max(1, len(y) // 20))] *= 10.0 ** rng.uniform(1, 6)
    return y


def cauchy(rng, y, score):
    return y + rng.standard_cauchy(size=y.shape)


def heavy(rng, y, score):
    return y * np.exp(3.0 * rng.normal(size=y.shape))


def nearly_constant_y(rng, y, score):
    return 5.0 + 1e-9 * y


def huge_counts(rng, y, score):
    return np.round(y * 10.0 ** rng.uniform(2, 9))


def one_huge(rng, y, score):
    y[0] = 10.0 ** int(rng.integers(3, 9))
    return y


def mostly_least(rng, y, score):
    return np.where(rng.random(y.shape) < 0.9, y.min(), y)


def separated(rng, y, score):
    return (score > np.median(score)).astype(y.dtype)


def rare_class(rng, y, score):
    y = np.zeros_like(y)
    y[0] = 1
    return y


def class_of_each_row(rng, y, score):
    return np.arange(len(y)) % 7


DOMAINS = {
    "real": (real, [exact, constant_y, rounded, five_points, in_other_units, shifted, outliers, cauchy]),
    "two outputs": (two_outputs, [constant_y, rounded, in_other_units, shifted, outliers, cauchy]),
    "positive": (positive, [constant_y, in_other_units, outliers, heavy, nearly_constant_y]),
    "counts": (counts, [constant_y, huge_counts, one_huge, mostly_least]),
    "positive counts": (positive_counts, [constant_y, huge_counts, one_huge, mostly_least]),
    "shares": (shares, [constant_y, separated, rare_class]),
    "zeros": (zeros, []),
    "classes": (classes, [separated, rare_class, class_of_each_row]),
}


def draw_target(rng, X, domain):
    """Targets of a domain for the rows of X, and the names of what is ugly about them."""
    plain, spoilers = DOMAINS[domain]
    score = score_of(rng, X)
    y, ugly = plain(rng, score), []
    if spoilers and rng.random() < 0.5:
        ugly = [spoilers[rng.integers(len(spoilers))]]
        y = ugly[0](rng, y, score)
    return y, [spoil.__name__ for spoil in ugly]


# -- weights: functions of (rng, n) ------------------------------------------------------------------------------------


def integer_weights(rng, n):
    return rng.integers(1, 4, size=n).astype(float)


def with_zeros(rng, n):
    weight = rng.integers(0, 3, size=n).astype(float)
    weight[0] = 1.0
    return weight


def fractional(rng, n):
    return rng.uniform(0.01, 3.0, size=n)


def tiny(rng, n):
    return np.full(n, 10.0 ** rng.uniform(-12, -1))


def huge(rng, n):
    return np.full(n, 10.0 ** rng.uniform(1, 12))


def unequal(rng, n):
    return 10.0 ** rng.uniform(-12, 3, size=n)


WEIGHTS = [integer_weights, integer_weights, with_zeros, fractional, tiny, huge, unequal]
