"""How heavy estimated tails may be: coefficients that are many make noise look heavier-tailed than it is."""

from ...numerics.penalties import degrees

__all__ = ["GAUSSIAN", "ON_OR_FAR", "raised"]

# Least degrees of freedom of the noise, as a multiple of those that the coefficients take divided by those that they
# leave. They take no more than this share of the rows.
MULTIPLE, MOST_TAKEN = 8.0, 0.95
ON_OR_FAR = (
    "the degrees of freedom of expert(s) {} are at their lower bound, 0.5: nearly all of their rows are either on the "
    "fit or far from it. Fix df or use more experts"
)
MANY_COLUMNS = (
    "the degrees of freedom of expert(s) {{}} are at their lower bound, {:.3g}: so many columns for the rows make "
    "noise look heavier-tailed than it is. Fix df, raise alpha or use fewer columns"
)
GAUSSIAN = (
    "the degrees of freedom of expert(s) {} grow without bound: their noise is Gaussian. Use LinearExpert or a fixed "
    "df if this concerns all experts"
)


def raised(scalar, expert, rows):
    """The degrees of freedom, a `Scalar`, with a bound that follows from the columns of an expert, eq. (df-bound).

    Parameters
    ----------
    scalar : Scalar
    expert : PredictorExpert
        Its penalty and the second moments of its columns count.
    rows : Rows
        The training rows.
    """
    weight = rows.weight.sum()
    strength = expert.penalty_ if expert.lasso_ is None else expert.penalty_ + expert.lasso_
    taken = min(degrees(expert.moment_, weight, strength) / weight, MOST_TAKEN)
    least = MULTIPLE * taken / (1.0 - taken)
    return scalar if least <= scalar.least else scalar._replace(least=least, at_least=MANY_COLUMNS.format(least))
