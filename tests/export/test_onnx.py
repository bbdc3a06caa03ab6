"""ONNX graphs of fitted models, run in onnxruntime."""

import numpy as np
import pytest
from problems import few
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from test_export import CASES, FLOWERS, KINDS, X, Y, rows_for

from hme import HMEClassifier, HMERegressor
from hme.export import NotExportable, register_onnx, to_onnx

pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
EXPORTED = [name for name in CASES if name != "two classes"]


def run(made, table):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: table}), strict=True))


@pytest.mark.parametrize("name", few(EXPORTED, 7))
def test_onnxruntime_predicts_what_the_model_predicts(name):
    model, new = CASES[name](), rows_for(name, 200)
    found = run(to_onnx(model, dtype="float64"), new)
    wanted = model.predict_proba(new) if "classes" in name else model.predict(new)
    answers = found["probabilities" if "classes" in name else "mean"].reshape(wanted.shape)
    np.testing.assert_allclose(answers, wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())
    inner = model[-1] if "pipeline" in name else model
    seen = model[:-1].transform(new) if "pipeline" in name else new
    np.testing.assert_allclose(found["gate"], inner.gate_proba(seen), atol=1e-9)
    experts = inner.predict_experts(seen)
    np.testing.assert_allclose(found["experts"].reshape(experts.shape), experts, rtol=1e-8, atol=1e-9)
    if "classes" in name:
        assert (found["label"] == model.predict(new)).all()


def test_single_precision_is_that_of_the_table():
    model, new = CASES["bent average"](), rows_for("bent average", 100).astype(np.float32)
    np.testing.assert_allclose(run(to_onnx(model), new)["mean"][:, 0], model.predict(new.astype(float)), rtol=1e-6)


def test_in_a_pipeline_of_skl2onnx():
    skl2onnx = pytest.importorskip("skl2onnx")
    register_onnx()
    model = make_pipeline(MinMaxScaler(), HMERegressor(depth=1, max_iter=2)).fit(X, Y)
    found = run(skl2onnx.to_onnx(model, X[:1]), X)
    np.testing.assert_allclose(found["variable"][:, 0], model.predict(X), rtol=1e-6)
    found = run(skl2onnx.to_onnx(model[-1], X[:1].astype(np.float32)), X.astype(np.float32))
    np.testing.assert_allclose(found["variable"][:, 0], model[-1].predict(X.astype(np.float32)), rtol=1e-6)
    with pytest.raises(NotExportable, match="target_opset = 12"):
        skl2onnx.to_onnx(model, X[:1], target_opset=12)
    model = make_pipeline(MinMaxScaler(), HMEClassifier(depth=1, max_iter=2)).fit(FLOWERS, KINDS)
    found = run(skl2onnx.to_onnx(model, FLOWERS[:1], options={"zipmap": False}), FLOWERS)
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(FLOWERS), atol=1e-6)
    assert (found["label"] == model.predict(FLOWERS)).all()


def test_classes_that_onnx_has_no_type_for():
    with pytest.raises(NotExportable, match="classes of type bool"):
        to_onnx(CASES["two classes"]())
