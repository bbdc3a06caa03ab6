"""How much columns matter to several models together: the mean over the models."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..inference.importances import Importances

__all__ = ["SharedImportances"]


class SharedImportances:
    """Importances of columns for what has `members_`, pairs of a share and a fitted model."""

    @property
    def feature_importances_(self):
        """Importance of each column of X, (p,): the mean of `HMERegressor.feature_importances_` over the models.

        It exists where all models are mixtures of experts that have it.
        """
        return self._importances().total

    def importances(self):
        """`feature_importances_`, split into what a column does through the gate and within the experts.

        Returns
        -------
        Table
            As of `HMERegressor.importances`.
        """
        return self._importances().table()

    def _importances(self):
        check_is_fitted(self)
        found = []
        for share, model in self.members_:
            if not hasattr(model, "_importances"):
                raise AttributeError(f"feature_importances_ is not of averages with a {type(model).__name__}.")
            found.append((share, model._importances()))
        gate, expert = (sum(share * np.asarray(one[side]) for share, one in found) for side in (1, 2))
        return Importances(found[0][1].columns, gate, expert)
