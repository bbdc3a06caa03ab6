"""How a table that ships with the package is read: the last column is the target."""

from importlib.resources import files

import numpy as np
from sklearn.utils import Bunch

__all__ = ["load_table"]


def load_table(name, return_X_y, as_frame):
    """The table ``data/<name>.csv``, described in ``data/<name>.md``, in the form of scikit-learn's loaders.

    Parameters
    ----------
    name : str
    return_X_y, as_frame : bool
        As in `load_motorcycle`.

    Returns
    -------
    Bunch, or (data, target)
    """
    for option, value in (("return_X_y", return_X_y), ("as_frame", as_frame)):
        if not isinstance(value, (bool, np.bool_)):
            raise ValueError(f"{option} must be True or False, got {value!r}.")
    folder = files(__package__).joinpath("data")
    lines = folder.joinpath(f"{name}.csv").read_text(encoding="utf-8").splitlines()
    names = lines[0].split(",")
    table = np.loadtxt(lines[1:], delimiter=",")
    data, target, frame = table[:, :-1], table[:, -1], None
    if as_frame:
        import pandas as pd  # only here: pandas is not needed for anything else

        frame = pd.DataFrame(table, columns=names)
        data, target = frame[names[:-1]], frame[names[-1]]
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        feature_names=names[:-1],
        target_names=names[-1:],
        DESCR=folder.joinpath(f"{name}.md").read_text(encoding="utf-8"),
    )
