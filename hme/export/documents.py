"""A fitted model as JSON, and back: parameters as plain numbers, without code."""

import json
from importlib import import_module

import numpy as np

from ..estimators.target import plain
from ..features.pieces import Pieces
from ..model.tree import Tree
from .formula import LINKS, NotExportable, Part
from .leaves import KINDS as KINDS_OF_LEAVES
from .portable import PortableModel, portable
from .sides import Side

__all__ = ["to_json", "from_json"]

FORMAT, VERSION = "hme", 3
READ = 1, 2, 3  # in version 1 all parts had the same columns, none of which bent; before 3 none had scores of leaves
SIDES = "experts", "gate"
KINDS = "OUiufb"  # of arrays of classes
TASKS = "regression", "classification"


def to_json(model, *, density="predictive", indent=None):
    """The parameters of a fitted model as JSON, from which `from_json` predicts.

    The text holds numbers and names only, is the same on all machines, and reads to the last bit. The guide says what
    its fields are. Means, class probabilities and priors are in it; predictive distributions are not.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        Fitted, as for `to_python`.
    density : {"predictive", "plug-in"}, default="predictive"
        As for `to_python`.
    indent : int or None, default=None
        Of nested fields, for readers; None writes one line.

    Returns
    -------
    str

    Raises
    ------
    NotExportable
        A ValueError that names what cannot be written as a formula.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.export import from_json, to_json
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = HMERegressor(depth=1).fit(X, np.abs(X[:, 0]))
    >>> text = to_json(model)
    >>> bool(np.allclose(from_json(text).predict(X), model.predict(X), rtol=0, atol=1e-12))
    True
    """
    found = portable(model, density)
    several = list({_key(part): part.sides for part in [*found.parts, found.tree]}.values())
    numbers = {tuple(map(id, sides)): number for number, sides in enumerate(several)}
    document = {
        "format": FORMAT,
        "version": VERSION,
        "written_by": import_module(__name__.partition(".")[0]).__version__,
        "task": found.task,
        "inputs": found.inputs,
        "named": found.named,
        "classes": _classes(found),
        "n_outputs": found.n_outputs,
        "flat": found.flat,
        "columns": [{name: _side(side) for name, side in zip(SIDES, sides, strict=True)} for sides in several],
        "sizes": [_part(part, numbers[_key(part)]) for part in found.parts],
        "tree": _part(found.tree, numbers[_key(found.tree)]),
    }
    return json.dumps(document, indent=indent, allow_nan=False)


def _classes(found):
    if found.classes_ is None:
        return None
    labels = plain(found.classes_)
    if found.classes_.dtype.kind not in KINDS or not all(isinstance(one, bool | int | float | str) for one in labels):
        raise NotExportable(f"classes of type {type(labels[0]).__name__} are not exported")
    return {"dtype": found.classes_.dtype.str, "labels": labels, "weighted": found.weighted.tolist()}


def _key(part):
    """What parts of the same columns share."""
    return tuple(map(id, part.sides))


def _side(side):
    pieces = [own and {name: values.tolist() for name, values in own._asdict().items()} for own in side.pieces]
    return {
        "inputs": side.places.tolist(),
        "pieces": pieces,
        "center": side.center.tolist(),
        "scale": side.scale.tolist(),
    }


def _part(part, number):
    bounds = None
    if part.bounds is not None:
        bounds = {name: ends.tolist() for name, ends in zip(SIDES, part.bounds, strict=True)}
    return {
        "share": part.share,
        "columns": number,
        "children": part.tree.children.tolist(),
        "bounds": bounds,
        "prior": None if part.prior is None else part.prior.tolist(),
        "gate": None if part.gate is None else np.where(part.tree.used[..., None], part.gate, 0.0).tolist(),
        "leaves": None if part.leaves is None else _leaves(part.leaves),
        "experts": part.experts.tolist(),
        "links": None if part.links is None else list(part.links),
    }


def _leaves(form):
    kind = next(name for name, own in KINDS_OF_LEAVES.items() if type(form) is own)
    return {"kind": kind, **{name: np.array(values).tolist() for name, values in form._asdict().items()}}


# -- and back ----------------------------------------------------------------------------------------------------------


def from_json(text):
    """What predicts as the model did whose parameters `to_json` wrote.

    Nothing of the text is run, so that it may come from anyone; it is checked, and refused if it is no such document.

    Parameters
    ----------
    text : str

    Returns
    -------
    PortableModel
        With ``predict``, ``predict_proba`` of a classifier, ``gate_proba`` and ``predict_experts``.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.export import from_json, to_json
    >>> X = [[0.0], [1.0], [2.0], [3.0]]
    >>> model = HMERegressor(depth=0).fit(X, [1.0, 3.1, 4.9, 7.0])
    >>> bool(abs(from_json(to_json(model)).predict(X) - model.predict(X)).max() < 1e-9)
    True
    """
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("text is no JSON of a model that to_json has written: its format is not 'hme'.")
    if document.get("version") not in READ:
        raise ValueError(
            f"text has version {document.get('version')!r} of the format; this hme reads versions up to {VERSION}."
        )
    try:
        return _model(document)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"text is no complete document of a model: {type(error).__name__}: {error}") from error


def _model(document):
    several, n_inputs = document["columns"], len(document["inputs"])
    several = [several] if document["version"] == 1 else several
    several = [[_side_of(sides[name], n_inputs) for name in SIDES] for sides in several]
    parts = [_part_of(part, several) for part in [*document["sizes"], document["tree"]]]
    task, classes, weighted = document["task"], document["classes"], None
    _require(task in TASKS, "task")
    _require((classes is not None) == (task == "classification"), "classes")
    n_answers = document["n_outputs"]
    if classes is not None:
        dtype = np.dtype(classes["dtype"])
        _require(dtype.kind in KINDS, "dtype of classes")
        weighted = np.array(classes["weighted"], dtype=int)
        classes = np.array(classes["labels"], dtype=dtype)
        n_answers = len(weighted)
    for part in parts:
        _require((part.links is None) == (task == "classification"), "links")
        _require(part.experts.shape[1] == n_answers, "experts")
    described = document["inputs"], document["named"], classes, weighted, document["n_outputs"], document["flat"]
    return PortableModel(task, *described, parts[:-1], parts[-1])


def _side_of(fields, n_inputs):
    places = np.array(fields["inputs"], dtype=int)
    pieces = fields.get("pieces", [None] * len(places))
    _require(places.ndim == 1 and ((places >= 0) & (places < n_inputs)).all() and len(pieces) == len(places), "columns")
    side = Side(places, tuple(own and _pieces_of(own) for own in pieces), *_floats(fields, "center", "scale"))
    _require(side.center.shape == side.scale.shape == (len(side.origins),) and (side.scale > 0).all(), "columns")
    return side


def _pieces_of(fields):
    made = Pieces(*_floats(fields, *Pieces._fields))
    q, m = len(made.start), len(made.knots) - 1
    right = made.knots.ndim == 1 and m > 0 and bool((np.diff(made.knots) > 0).all())
    _require(right and made.powers.ndim == 3 and made.powers.shape[:2] == (q, m), "pieces")
    _require(made.start.shape == made.below.shape == made.above.shape == (q,), "pieces")
    return made


def _floats(fields, *names):
    return [np.array(fields[name], dtype=float) for name in names]


def _part_of(fields, several):
    sides = several[fields.get("columns", 0)]
    tree, widths = Tree(fields["children"]), [len(side.center) for side in sides]
    prior, gate, bounds = (fields[name] for name in ("prior", "gate", "bounds"))
    experts, links = np.array(fields["experts"], dtype=float), fields["links"]
    K, share = tree.n_leaves, float(fields["share"])
    if bounds is not None:
        bounds = [np.array(bounds[name], dtype=float).reshape(2, p) for name, p in zip(SIDES, widths, strict=True)]
    _require(experts.ndim == 3 and experts.shape[::2] == (K, widths[0] + 1), "experts")
    _require(links is None or (len(links) == K and set(links) <= set(LINKS)), "links")
    leaves = fields.get("leaves")
    _require([prior, gate, leaves].count(None) == 2, "prior, gate and leaves, all but one of which are null,")
    if prior is not None:
        prior = np.array(prior, dtype=float)
        _require(prior.shape == (K,), "prior")
    elif gate is not None:
        gate = np.array(gate, dtype=float)
        _require(gate.shape == (*tree.children.shape, widths[1] + 1), "gate")
    else:
        leaves = _leaves_of(leaves)
        _require(leaves.fits(K, widths[1]), "leaves")
    return Part(share, tree, bounds, prior, gate, leaves, experts, None if links is None else tuple(links), sides)


def _leaves_of(fields):
    kind = KINDS_OF_LEAVES[fields["kind"]]
    return kind(*(int(fields[name]) if name == "k" else np.array(fields[name], dtype=float) for name in kind._fields))


def _require(right, name):
    if not right:
        raise ValueError(f"text is no complete document of a model: {name} cannot be as given.")
