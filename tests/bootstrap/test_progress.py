"""Lines of progress: how many fits are done, and what is left."""

import re

import numpy as np
import pytest

from hme import HMERegressor
from hme.bootstrap import bootstrap, lr_test_bootstrap
from hme.bootstrap.progress import run_all
from hme.diagnosis import diagnose, restart_report

X = np.random.default_rng(0).normal(size=(40, 1))
Y = np.abs(X[:, 0])


def test_a_line_for_each_call(capsys):
    assert run_all(pow, [(2, i) for i in range(3)], None, 2, "powers") == [1, 2, 4]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[-1] == "3 of 3 powers in 0 s"
    assert re.fullmatch(r"1 of 3 powers in 0 s, about \d s left", lines[0])
    assert run_all(pow, [(2, 3)], None) == [8] and capsys.readouterr().out == ""
    run_all(pow, [(2, i) for i in range(9)], None, 1)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_what_runs_many_fits_says_so(capsys):
    one, two = (HMERegressor(depth=depth, start="model_tree", tol=1e-2) for depth in (0, 1))
    lr_test_bootstrap(one, two, X, Y, 2, n_init=1, random_state=0, verbose=1)
    assert capsys.readouterr().out.splitlines()[-1].startswith("2 of 2 simulated data sets")
    fitted = two.fit(X, Y)
    bootstrap(fitted, X, Y, 2, random_state=0, verbose=1)
    assert capsys.readouterr().out.splitlines()[-1].startswith("3 of 3 refits")
    restart_report(fitted, X, Y, 2, random_state=0, verbose=True)
    assert capsys.readouterr().out.splitlines()[-1].startswith("2 of 2 starts")
    with pytest.raises(ValueError, match="verbose"):
        diagnose(fitted, X, Y, verbose=-1)
