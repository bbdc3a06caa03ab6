"""The models of a stack by their names: checks, and hyper-parameters such as ``ridge__alpha``."""

from sklearn.base import BaseEstimator

__all__ = ["Composition"]


class Composition(BaseEstimator):
    """An estimator with `estimators`, pairs of a name and a model, whose hyper-parameters are its own."""

    def get_params(self, deep=True):
        """Hyper-parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether the models, by their names, and their hyper-parameters, as ``ridge__alpha``, are among them.

        Returns
        -------
        dict
        """
        params = super().get_params(deep=deep)
        if deep:
            for name, model in self._pairs():
                params[name] = model
                if hasattr(model, "get_params") and not isinstance(model, type):
                    params |= {f"{name}__{key}": value for key, value in model.get_params(deep=True).items()}
        return params

    def set_params(self, **params):
        """Set hyper-parameters, replace a model by its name, or set one of its own.

        Parameters
        ----------
        **params
            ``ridge=Ridge(2.0)`` replaces a model, ``ridge="drop"`` leaves it out, ``ridge__alpha=2.0`` sets what is
            its own.

        Returns
        -------
        self
        """
        if "estimators" in params:
            self.estimators = params.pop("estimators")
        models = dict(self._pairs())
        replaced = {name: params.pop(name) for name in list(params) if name in models}
        if replaced:
            self.estimators = list((models | replaced).items())
        return super().set_params(**params)

    def _pairs(self):
        """The pairs, as far as `estimators` is a list of them; what is not is refused in `fit`."""
        given = self.estimators if isinstance(self.estimators, list | tuple) else ()
        return [
            pair for pair in given if isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)
        ]

    def _models(self, method):
        """The models to fit, checked: pairs of a name and an estimator with the method that predicts."""
        given, pairs = self.estimators, self._pairs()
        if not isinstance(given, list | tuple) or len(pairs) < len(given) or not pairs:
            raise ValueError(f"estimators = {given!r} must be None or a list of (name, estimator) pairs.")
        names = [name for name, _ in pairs]
        taken = sorted({*names} & {*super().get_params(deep=False)})
        if len({*names}) < len(names) or taken or any("__" in name or not name for name in names):
            raise ValueError(
                f"estimators has the names {names}; they must differ, not be empty, have no '__', and not be names of "
                f"parameters{f', as {taken} are' if taken else ''}."
            )
        kept = [(name, model) for name, model in pairs if not isinstance(model, str) or model != "drop"]
        if not kept:
            raise ValueError("estimators: every model is dropped; at least one must stay.")
        for name, model in kept:
            if isinstance(model, type) or not hasattr(model, "fit") or not hasattr(model, method):
                raise TypeError(f"estimators[{name!r}] = {model!r} must be an estimator with fit and {method}.")
        return kept
