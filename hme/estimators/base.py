"""What regressor and classifier share: hyper-parameters, and the tags that tell scikit-learn what they support."""

from sklearn.base import BaseEstimator

from ..registry import make_expert, make_gate
from .fitted import FittedMixture

__all__ = ["BaseHME"]


class BaseHME(FittedMixture, BaseEstimator):
    """What the regressor and the classifier share.

    Both fit in four steps: `binding.bind`, `starting.start`, the run of EM from every start, and `keeping.keep`. What
    differs between them is the target (`target.Outputs`, `target.Classes`) and what they answer once fitted.

    Attributes
    ----------
    task : str
        "regression" or "classification".
    """

    def __init__(
        self,
        depth="auto",
        branching=2,
        *,
        n_experts=None,
        tree=None,
        expert=None,
        gate=None,
        expert_features=None,
        gate_features=None,
        standardize=True,
        hold_range=True,
        algorithm="em",
        start="auto",
        n_init=1,
        n_finalists=None,
        max_iter=500,
        tol=1e-5,
        on_empty="warn",
        warm_start=False,
        callback=None,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.depth = depth
        self.branching = branching
        self.n_experts = n_experts
        self.tree = tree
        self.expert = expert
        self.gate = gate
        self.expert_features = expert_features
        self.gate_features = gate_features
        self.standardize = standardize
        self.hold_range = hold_range
        self.algorithm = algorithm
        self.start = start
        self.n_init = n_init
        self.n_finalists = n_finalists
        self.max_iter = max_iter
        self.tol = tol
        self.on_empty = on_empty
        self.warm_start = warm_start
        self.callback = callback
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    # -- hyper-parameters --------------------------------------------------------------------------------------------

    def set_params(self, **params):
        """Set hyper-parameters, also those of the experts and the gate.

        Parameters
        ----------
        **params
            Of the estimator by their names, of the families as ``expert__alpha`` and ``gate__alpha``, even where the
            family is a default or given by its name. In a list of experts the name of the expert comes between:
            ``expert__line__alpha``.

        Returns
        -------
        self
        """
        for name, make in (("expert", lambda family: make_expert(family, self.task)), ("gate", make_gate)):
            family = params.get(name, getattr(self, name))
            if any(key.startswith(f"{name}__") for key in params) and not hasattr(family, "get_params"):
                params[name] = make(family)
        return super().set_params(**params)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        try:
            expert, gate = make_expert(self.expert, self.task), make_gate(self.gate)
        except (TypeError, ValueError):  # refused in fit
            expert, gate = make_expert(None, self.task), make_gate(None)
        tags.input_tags.sparse = expert.traits.sparse_input and gate.traits.sparse_input
        tags.target_tags.multi_output = self.task == "regression" and expert.traits.multioutput
        tags.target_tags.positive_only = expert.traits.positive
        return tags
