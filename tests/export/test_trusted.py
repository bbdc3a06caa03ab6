"""Types that skops may make, and versions."""

from functools import partial

import pytest
from test_export import CASES, X, Y

import hme
from hme import HMERegressor
from hme.export import trusted_types
from hme.export.trusted import _is_own_class

sio = pytest.importorskip("skops.io")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("name", ["bent average", "classes", "outputs"])
def test_models_are_read_back(name, tmp_path):
    model = CASES[name]()
    sio.dump(model, tmp_path / "model.skops")
    again = sio.load(tmp_path / "model.skops", trusted=trusted_types(tmp_path / "model.skops"))
    assert again.experts_.coef.tobytes() == model.experts_.coef.tobytes()
    assert trusted_types(sio.dumps(model)) == sio.get_untrusted_types(data=sio.dumps(model))


def test_what_is_not_ours_is_not_trusted():
    stored = sio.dumps([HMERegressor(depth=1, expert="tree", max_iter=1).fit(X, Y), partial(hme.show_versions)])
    left = set(sio.get_untrusted_types(data=stored)) - set(trusted_types(stored))
    assert "sklearn.tree._tree.Tree" in left and "hme.versions.show_versions" in left
    assert not _is_own_class("hme.datasets.motorcycle.load_motorcycle") and not _is_own_class("hme.nothing.Here")
    assert not _is_own_class("hme.model.mixture.np") and not _is_own_class("os.system")


def test_versions(capsys):
    hme.show_versions()
    said = capsys.readouterr().out
    assert f"hme           {hme.__version__}\n" in said and "scikit-learn  " in said
