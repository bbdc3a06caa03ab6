"""scikit-learn's callbacks: the tasks of a fit, nested, as the callbacks of an estimator see them.

There are none below scikit-learn 1.9, where `set_callbacks` is absent, and nothing here does anything.
"""

from contextlib import contextmanager
from typing import Any, NamedTuple

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # below scikit-learn 1.9
    CallbackSupportMixin = with_callbacks = None

__all__ = ["NOBODY", "Followable", "Task", "followed", "unfollowed"]

HERE = "_skl_callbacks"  # where scikit-learn keeps the callbacks of an estimator


class Followable(*(() if CallbackSupportMixin is None else (CallbackSupportMixin,))):
    """An estimator that has ``set_callbacks`` where scikit-learn knows callbacks."""


class _Told(NamedTuple):
    """What callbacks are passed besides the task."""

    estimator: Any
    X: Any
    y: Any
    metadata: Any
    attributes: Any  # dict of those of a fitted estimator that do not change any more, or None


class Task:
    """A part of a fit that has begun, or is about to; sweeps are the smallest parts.

    It is sent to worker processes with what runs there, so that the numbers of parts do not depend on what has happened
    elsewhere.
    """

    def __init__(self, context, told, last=-1):
        self.context, self.told, self.last = context, told, last  # number of the last part

    def knowing(self, attributes):
        """The same task, from which fitted estimators can be made, with attributes that all have."""
        return Task(self.context, self.told._replace(attributes=attributes), self.last)

    def part(self, name, most=0, number=None, begin=True):
        """A part of the task.

        Parameters
        ----------
        name : str
        most : int or None
            Parts that it has itself, at most; None where that is not known.
        number : int or None
            Which part of the task it is, from 0; None is the next one.
        begin : bool
            Whether it begins now; otherwise it does in `around`.
        """
        limit = self.context.max_subtasks
        number = self.last + 1 if number is None else number
        if limit is not None and number >= limit:
            return NOBODY
        self.last = number
        context = self.context.subcontext(name, number, most, sequential_subtasks=False)
        if begin:
            context.call_on_fit_task_begin(**self._arguments())
        return Task(context, self.told)

    def step(self, name, number=0, **attributes):
        """Begin and end a part, whose number is at least this one; whether a callback asks to stop."""
        return self.part(name, number=max(number, self.last + 1)).end(**attributes)

    def end(self, **attributes):
        """End the task, with attributes of a fitted estimator; whether a callback asks to stop."""
        arguments = self._arguments()
        if attributes and self.told.attributes is not None:
            arguments["reconstruction_attributes"] = {**self.told.attributes, **attributes}
        return bool(self.context.call_on_fit_task_end(**arguments))

    @contextmanager
    def around(self, model):
        """The whole task is the fit of another estimator, which the callbacks follow if it can be followed."""
        if not hasattr(type(model), "set_callbacks"):
            self.context.call_on_fit_task_begin(**self._arguments())
            yield
        else:
            with self.context.propagate_callback_context(model):
                self.context.call_on_fit_task_begin(**self._arguments())
                yield
        self.end()

    def _arguments(self):
        return {name: getattr(self.told, name) for name in ("estimator", "X", "y", "metadata")}


class _Nobody:
    """A task that nobody follows."""

    def __bool__(self):
        return False

    def __reduce__(self):
        return "NOBODY"

    def knowing(self, attributes):
        return self

    def part(self, name, most=0, number=None, begin=True):
        return self

    def step(self, name, number=0, **attributes):
        return False

    def end(self, **attributes):
        return False

    @contextmanager
    def around(self, model):
        yield


NOBODY = _Nobody()


@contextmanager
def followed(estimator, X, y, sample_weight, n_parts):
    """The fit of an estimator as a task of so many parts; `NOBODY` where it has no callbacks.

    What callbacks have set up is torn down at the end, however that comes.
    """
    if HERE not in vars(estimator) or with_callbacks is None:
        yield NOBODY
        return
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    try:
        context = estimator._init_callback_context(max_subtasks=n_parts, sequential_subtasks=False)
        task = Task(context, _Told(estimator, X, y, metadata, {}))
        context.call_on_fit_task_begin(**task._arguments())
        yield task.knowing(None)
        context.call_on_fit_task_end(**task._arguments(), reconstruction_attributes={})
    finally:
        with_callbacks(_nothing)(estimator)  # whose end is the end of all


def _nothing(estimator):
    pass


def unfollowed(estimator):
    """The estimator without callbacks: one of many fits that no one wants to see each by itself."""
    if hasattr(type(estimator), "set_callbacks"):
        estimator.set_callbacks()
    return estimator
