"""What a fit was given that is probably not meant, as sentences for its one warning."""

import numpy as np

from .binding import NO_GROWTH, continues, continues_grown

__all__ = ["cautions"]

# Weights that add up to less than so many times the parameters, and to less than so many times the rows, are probably
# shares and no numbers of rows.
FEW_A_PARAMETER, FEW_A_ROW = 2.0, 0.5


def cautions(model, mixture, params, rows, grows):
    """Sentences about settings and weights, each with the next step to take.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        Before the fit has set its attributes.
    mixture : Mixture
    params : Params
    rows : Rows
        Of the fit.
    grows : bool
        Whether the tree is one that grows.

    Returns
    -------
    list of str
    """
    found = []
    if continues(model) and model.n_init > 1:
        found.append(
            f"n_init={model.n_init} is ignored, as warm_start=True goes on from the earlier fit alone. Use "
            "warm_start=False for other starts"
        )
    if model.min_weight_fraction_leaf > 0 and not (grows or continues_grown(model)):
        # Told and not refused, as tools that know forests set it on any model that has one.
        found.append(
            f"min_weight_fraction_leaf = {model.min_weight_fraction_leaf!r} has no effect: it is {NO_GROWTH}. Leave it "
            "at 0"
        )
    total, size = float(rows.weight.sum()), _n_parameters(mixture, params, rows)
    if total < FEW_A_PARAMETER * size and total < FEW_A_ROW * rows.n_rows:
        weights = (
            "sample_weight" if getattr(model, "class_weight", None) is None else "sample_weight times class_weight"
        )
        found.append(
            f"{weights} adds up to {total:.3g}, for {rows.n_rows} rows and {size} parameters. A weight says how many "
            "rows a row stands for, so that penalties and priors outweigh these rows: multiply the weights until they "
            "add up to the number of rows"
        )
    return found


def _n_parameters(mixture, params, rows):
    """Number of parameters; of families that cannot count them, of as many linear experts."""
    try:
        return mixture.n_parameters(params)
    except NotImplementedError:
        return mixture.n_leaves(params) * int(np.prod(rows.y.shape[1:])) * rows.X.shape[1]
