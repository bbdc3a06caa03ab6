"""JSON of a fitted model: exact, checked, and free of code."""

import json

import numpy as np
import pytest
from problems import few
from test_export import CASES, rows_for

from hme.export import from_json, to_json

PIECES = {"knots": [1, 0], "start": [0], "powers": [[[1]]], "below": [0], "above": [0]}  # knots that descend
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("name", few(list(CASES), 8))
def test_json_predicts_what_the_model_predicts(name):
    model, new = CASES[name](), rows_for(name, 200)
    text = to_json(model)
    again = from_json(text)
    wanted = model.predict_proba(new) if "classes" in name else model.predict(new)
    close = {"rtol": 1e-12, "atol": 1e-12 * np.abs(wanted).max()}
    if "classes" in name:
        np.testing.assert_allclose(again.predict_proba(new), wanted, **close)
        assert (again.predict(new) == model.predict(new)).all() and again.predict(new).dtype == model.classes_.dtype
    else:
        np.testing.assert_allclose(again.predict(new), wanted, **close)
    inner = model[-1] if "pipeline" in name else model
    seen = model[:-1].transform(new) if "pipeline" in name else new
    np.testing.assert_allclose(again.gate_proba(new), inner.gate_proba(seen), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(again.predict_experts(new), inner.predict_experts(seen), rtol=1e-9, atol=1e-12)
    assert json.loads(text)["version"] == 3


def test_a_class_without_weight_has_probability_zero():
    from test_export import FLOWERS, KINDS, by_python

    from hme import HMEClassifier

    model = HMEClassifier(depth=1, max_iter=2).fit(FLOWERS, KINDS, sample_weight=(KINDS != "versicolor").astype(float))
    again, wanted = from_json(to_json(model)), model.predict_proba(FLOWERS)
    assert (wanted[:, 1] == 0).all()
    np.testing.assert_allclose(again.predict_proba(FLOWERS), wanted, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(by_python(model, FLOWERS), wanted, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(again.predict_experts(FLOWERS), model.predict_experts(FLOWERS), rtol=1e-12, atol=1e-15)


def test_frames_are_read_by_name():
    pandas = pytest.importorskip("pandas")
    from test_export import X, Y

    from hme import HMERegressor

    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = HMERegressor(depth=1, expert_features=["b", "d"], gate_features=["a"], max_iter=2).fit(frame, Y)
    again = from_json(to_json(model, indent=1))
    np.testing.assert_allclose(again.predict(frame[["d", "b", "a"]]), model.predict(frame), rtol=1e-12)
    with pytest.raises(ValueError, match="lacks the columns"):
        again.predict(frame[["a", "b"]])
    with pytest.raises(ValueError, match="4 columns"):
        again.predict(X[:, :2])


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"format": "other"}, "format"),
        ({"version": 4}, "version 4"),
        ({"sizes": [{}]}, "KeyError"),
        ({"task": "ranking"}, "task"),
        ({"columns": [{"experts": {"inputs": [9], "center": [0], "scale": [1]}, "gate": None}]}, "columns"),
        ({"columns": [{"experts": {"inputs": [0], "pieces": [PIECES], "center": [0], "scale": [1]}}]}, "pieces"),
    ],
)
def test_what_is_no_document_is_refused(change, reason):
    document = json.loads(to_json(CASES["one expert"]()))
    with pytest.raises(ValueError, match=reason):
        from_json(json.dumps({**document, **change}))


def test_scores_of_leaves_are_checked():
    document = json.loads(to_json(CASES["gaussian"]()))
    document["sizes"][0]["leaves"]["constant"].pop()
    with pytest.raises(ValueError, match="leaves"):
        from_json(json.dumps(document))
    document["sizes"][0]["leaves"]["kind"] = "far"
    with pytest.raises(ValueError, match="KeyError"):
        from_json(json.dumps(document))


def test_version_1_is_read():
    model, new = CASES["average"](), rows_for("average", 20)
    document = json.loads(to_json(model))
    (columns,) = document["columns"]
    for side in columns.values():
        del side["pieces"]
    for part in [*document["sizes"], document["tree"]]:
        del part["columns"]
    text = json.dumps(document | {"version": 1, "columns": columns})
    np.testing.assert_allclose(from_json(text).predict(new), model.predict(new), rtol=1e-12)
