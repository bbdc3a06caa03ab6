"""A fitted model as an ONNX graph, alone or in a pipeline that skl2onnx converts."""

from importlib import import_module

import numpy as np

from ..estimators import HMEClassifier, HMERegressor
from ..estimators.target import plain
from ..numerics.checks import check_choice
from .formula import NotExportable
from .graph import answers_of, experts_of, gate_of, inputs_of
from .portable import portable

__all__ = ["to_onnx", "register_onnx"]

OPSET, LEAST_OPSET, IR_VERSION = 18, 13, 8
DTYPES = "float32", "float64"


def to_onnx(model, *, dtype="float32", density="predictive"):
    """A fitted model as an ONNX graph, for onnxruntime and other engines; needs ``hme[onnx]``.

    The graph computes in double precision and rounds its outputs to `dtype`.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        Fitted, as for `to_python`.
    dtype : {"float32", "float64"}, default="float32"
        Of the input ``X`` (n, p), all columns of the fit in their order, and of the outputs.
    density : {"predictive", "plug-in"}, default="predictive"
        As for `to_python`.

    Returns
    -------
    onnx.ModelProto
        With the outputs ``mean`` (n, T) of a regressor, or ``label`` (n,) and ``probabilities`` (n, C) of a classifier,
        whose classes must be integers or texts; ``gate`` (n, K), the priors of the tree; and ``experts`` (n, K, T) or
        (n, K, C), what each expert of the tree says.
        ``SerializeToString()`` makes bytes of it.

    Raises
    ------
    NotExportable
        A ValueError that names what cannot be written as a formula.
    ImportError
        Without onnx.

    Examples
    --------
    >>> import numpy as np
    >>> import onnxruntime
    >>> from hme import HMERegressor
    >>> from hme.export import to_onnx
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = HMERegressor(depth=1).fit(X, np.abs(X[:, 0]))
    >>> made = to_onnx(model, dtype="float64")
    >>> session = onnxruntime.InferenceSession(made.SerializeToString())
    >>> mean, gate, experts = session.run(None, {"X": X})
    >>> bool(np.allclose(mean[:, 0], model.predict(X)))
    True
    """
    check_choice(dtype, "dtype", DTYPES)
    onnx = _package("onnx")
    found, graph = portable(model, density), _Graph(onnx)
    kind = onnx.TensorProto.FLOAT if dtype == "float32" else onnx.TensorProto.DOUBLE
    X = inputs_of(graph, "X")
    answers = answers_of(graph, found, X)
    outputs, n_answers = [], found.n_outputs
    if found.task == "classification":
        labels, text = _labels(found)
        graph.node("Gather", [graph.constant(labels), _best(graph, answers)], outputs=["label"], axis=0)
        outputs.append(("label", onnx.TensorProto.STRING if text else onnx.TensorProto.INT64, ["n"]))
        n_answers = len(labels)
    K, first = len(found.tree.experts), "mean" if found.task == "regression" else "probabilities"
    for name, value, shape in (
        (first, answers, [n_answers]),
        ("gate", gate_of(graph, found, X), [K]),
        ("experts", experts_of(graph, found, X), [K, n_answers]),
    ):
        graph.node("Cast", [value], outputs=[name], to=dtype)
        outputs.append((name, kind, ["n", *shape]))
    info = onnx.helper.make_tensor_value_info
    made = onnx.helper.make_graph(
        graph.nodes,
        "hme",
        [info("X", kind, ["n", len(found.inputs)])],
        [info(name, type_, shape) for name, type_, shape in outputs],
        graph.constants,
    )
    made = onnx.helper.make_model(
        made, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="hme"
    )
    onnx.checker.check_model(made)
    return made


def _package(name):
    """A package of the extra."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f'{name} is not installed; pip install "hme[onnx]" brings it.') from error


def _labels(found):
    """The classes as an array of integers or of bytes, and whether they are texts."""
    labels = plain(found.classes_)
    if all(isinstance(label, str) for label in labels):
        return np.array([label.encode() for label in labels], dtype=object), True
    if all(isinstance(label, int) and not isinstance(label, bool) for label in labels):
        return np.array(labels, dtype=np.int64), False
    raise NotExportable(f"classes of type {type(labels[0]).__name__} are not exported; integers and texts are")


def _best(graph, proba):
    return graph.node("ArgMax", [proba], axis=1, keepdims=0)


class _Graph:
    """Nodes and constants of a graph."""

    def __init__(self, onnx):
        self.onnx, self.nodes, self.constants = onnx, [], []

    def node(self, operator, inputs, outputs=None, **attributes):
        """Add an operator, and return the name of its output."""
        outputs = outputs or [self.name("v")]
        if "to" in attributes:
            kinds = self.onnx.TensorProto
            attributes["to"] = {"float32": kinds.FLOAT, "float64": kinds.DOUBLE}[attributes["to"]]
        self.add_node(operator, inputs, outputs, attributes)
        return outputs[0]

    def constant(self, array):
        """Add an array, and return its name."""
        array, name = np.asarray(array), self.name("k")
        if array.dtype == object:
            kind = self.onnx.TensorProto.STRING
            self.constants.append(self.onnx.helper.make_tensor(name, kind, array.shape, array.tolist()))
        else:
            self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def name(self, letter):
        """A new name."""
        return f"{letter}{len(self.nodes) + len(self.constants)}"

    def add_node(self, operator, inputs, outputs, attributes):
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, outputs, **attributes))


# -- skl2onnx ----------------------------------------------------------------------------------------------------------


def register_onnx():
    """Tell skl2onnx how to convert HMERegressor and HMEClassifier, alone or at the end of a pipeline.

    It needs ``hme[onnx]``. After it ``skl2onnx.to_onnx(pipeline, X)`` works for any pipeline whose other steps skl2onnx
    knows. The outputs are those that it gives all models: ``variable``, or ``label`` and ``probabilities``.

    Examples
    --------
    >>> import numpy as np
    >>> import skl2onnx
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> from hme import HMERegressor
    >>> from hme.export import register_onnx
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = make_pipeline(MinMaxScaler(), HMERegressor(depth=1)).fit(X, np.abs(X[:, 0]))
    >>> register_onnx()
    >>> made = skl2onnx.to_onnx(model, X[:1])
    >>> [output.name for output in made.graph.output]
    ['variable']
    """
    skl2onnx = _package("skl2onnx")
    regressor = dict(shape_fct=_shape_of_numbers, convert_fct=_convert)
    classifier = dict(shape_fct=_shape_of_classes, convert_fct=_convert)
    skl2onnx.update_registered_converter(HMERegressor, "HMERegressor", **regressor)
    options = {"zipmap": [True, False, "columns"], "nocl": [True, False], "output_class_labels": [False, True]}
    skl2onnx.update_registered_converter(HMEClassifier, "HMEClassifier", **classifier, options=options)


def _shape_of_numbers(operator):
    rows = operator.inputs[0].type.shape[0]
    operator.outputs[0].type = _numbers(operator, [rows, operator.raw_operator.target_.n_outputs])


def _shape_of_classes(operator):
    types = _types()
    rows, labels = operator.inputs[0].type.shape[0], plain(operator.raw_operator.classes_)
    operator.outputs[0].type = (types.StringTensorType if isinstance(labels[0], str) else types.Int64TensorType)([rows])
    operator.outputs[1].type = _numbers(operator, [rows, len(labels)])


def _numbers(operator, shape):
    """Numbers of the precision of the input; single ones for integers."""
    types = _types()
    double = isinstance(operator.inputs[0].type, types.DoubleTensorType)
    return (types.DoubleTensorType if double else types.FloatTensorType)(shape)


def _types():
    return import_module("skl2onnx.common.data_types")


def _convert(scope, operator, container):
    """Add the graph of a model to that of skl2onnx."""
    if container.target_opset < LEAST_OPSET:
        raise NotExportable(f"target_opset = {container.target_opset} must be at least {LEAST_OPSET}")
    found, graph = portable(operator.raw_operator), _Container(scope, container)
    answers = answers_of(graph, found, inputs_of(graph, operator.inputs[0].full_name))
    last = operator.outputs[-1]
    double = isinstance(last.type, _types().DoubleTensorType)
    graph.node("Cast", [answers], outputs=[last.full_name], to="float64" if double else "float32")
    if found.task == "classification":
        labels, _ = _labels(found)
        name = operator.outputs[0].full_name
        graph.node("Gather", [graph.constant(labels), _best(graph, answers)], outputs=[name], axis=0)


class _Container(_Graph):
    """The same within a graph of skl2onnx."""

    def __init__(self, scope, container):
        super().__init__(_package("onnx"))
        self.scope, self.container, self.constants = scope, container, container.initializers

    def name(self, letter):
        return self.scope.get_unique_variable_name(f"hme_{letter}")

    def add_node(self, operator, inputs, outputs, attributes):
        name = self.scope.get_unique_operator_name(f"hme_{operator}")
        self.container.add_node(operator, inputs, outputs, name=name, **attributes)
