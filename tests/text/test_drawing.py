"""The drawing of a fitted tree, and what notebooks show of a model."""

from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from hme import HMERegressor
from hme.text.drawing import GATE, LEAF, tree_svg
from hme.text.tree import told

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def fitted():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return HMERegressor(tree="((. .) .)").fit(X.rename(columns={"bmi": "b<m>i & more"}), y)


def test_boxes_hold_their_texts(fitted):
    root = ElementTree.fromstring(tree_svg(told(fitted), fitted.load_))
    groups = root.findall(f"{SVG}g")
    assert len(groups) == 2 + 3
    for group in groups:
        box, width = group.find(f"{SVG}rect"), 7.2  # pixels of a wide letter
        assert float(box.get("width")) in (GATE, LEAF)
        for text in group.findall(f"{SVG}text"):
            assert float(text.get("x")) + width * len(text.text) <= float(box.get("x")) + float(box.get("width")) + 8
    tips = " ".join(title.text for title in root.iter(f"{SVG}title"))
    assert all(line in tips for lines in told(fitted).equations for line in lines) and "b<m>i & more" in tips


def test_bands_are_as_wide_as_their_load(fitted):
    root = ElementTree.fromstring(tree_svg(told(fitted), fitted.load_))
    widths = [float(path.get("stroke-width")) for path in root.findall(f"{SVG}path")]
    load = fitted.load_
    np.testing.assert_allclose(widths, 30.0 * np.array([load[0] + load[1], load[2], load[0], load[1]]), atol=0.06)


def test_notebooks_show_the_fitted_tree_below_the_diagram(fitted):
    plain, shown = HMERegressor()._repr_mimebundle_(), fitted._repr_mimebundle_()
    assert "<svg" not in plain["text/html"].split("The fitted tree")[-1] or "The fitted tree" not in plain["text/html"]
    assert "The fitted tree: 3 experts" in shown["text/html"] and "<details open>" in shown["text/html"]
    assert shown["text/plain"] == repr(fitted)
