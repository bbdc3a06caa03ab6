"""The run: fit, print the tree, write model and picture, score."""

import time
import warnings

import joblib
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline

from ..plot import ExpertsDisplay
from ..report import html
from ..text import export_text
from . import Interrupted, TableError
from .models import models, score
from .problem import example, of_table
from .saving import check_folder, whole_file
from .terminal import Interrupts, listed, note, plain, progress, say, say_warnings

__all__ = ["run"]


def run(options):
    """Run the command.

    Parameters
    ----------
    options : argparse.Namespace
        See `hme.command.options`.

    Raises
    ------
    TableError
        If the table or an option is at fault.
    Interrupted
        After Ctrl-C, with what is kept.
    """
    with Interrupts() as interrupts:
        stage = "while the table was read"
        try:
            check_folder(options.out)
            with progress(f"reading {options.data}"):
                problem = example(options) if options.data is None else of_table(options)
            say(f"{problem.title}; {problem.task} of {problem.target}\n")
            pipelines = models(problem, options)
            name, mixture = next(iter(pipelines.items()))
            stage = f"before the first start of {name} was done"
            with progress(f"fitting {name} to {problem.title}"):
                _fit(mixture, problem)
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted {stage}; nothing is written") from None
        # Where somebody else answers Ctrl-C, the mixture alone knows of it.
        pressed = interrupts.pressed or mixture[-1].stop_reason_ == "interrupted"
        kept = "the best fit so far" if pressed else "the fitted model"
        try:
            with interrupts.held_back():
                _say_tree(mixture[-1], problem)
                _save(mixture, problem, options)
            if pressed or interrupts.pressed:
                raise KeyboardInterrupt
            _say_scores(problem, pipelines, interrupts)
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; {kept} is kept in {options.out}, the scores are not complete") from None


def _fit(mixture, problem):
    name = type(mixture[-1]).__name__
    with _convergence_warnings() as caught:
        begin = time.perf_counter()
        try:
            mixture.fit(problem.X, problem.y)
        except ValueError as error:  # its message says what is wrong with the data
            raise TableError(str(error)) from error
        seconds = time.perf_counter() - begin
    say(f"{name}, all rows: {mixture[-1].n_experts_} experts, {mixture[-1].n_iter_} sweeps, {seconds:.2f} s")
    say_warnings(caught)


def _say_tree(model, problem):
    text = export_text(model, list(map(plain, _names(model, problem))), plain(problem.target))
    say(f"\n{text}\n")
    if " +/- " in text:
        say("gate x < 5 +/- 2: the odds of yes are one to one at x = 5, nine to one at 3 and one to nine at 7")
    elif "gate 0" in text:
        say("gate a + b > 5: a + b - 5 is the log-odds of yes")
    noise = "; noise: its standard deviation around the equation" if "noise" in text else ""
    say(f"load: share of the rows that a leaf is responsible for{noise}\n")


def _names(model, problem):
    """Names of the columns that the model sees."""
    return list(getattr(model, "feature_names_in_", problem.names))


def _say_scores(problem, pipelines, interrupts):
    first, second = ("RMSE", "log-likelihood") if problem.task == "regression" else ("accuracy", "log loss")
    say(f"\nheld-out score: {problem.scoring}")
    say(f"{'':30}  {first:>10}  {second:>14}  seconds")
    for name, pipeline in pipelines.items():
        with _convergence_warnings() as caught, progress(f"scoring {name}"):
            begin = time.perf_counter()
            try:
                a, b = score(pipeline, problem)
            except (ValueError, np.linalg.LinAlgError) as error:  # all rows could be fitted, but not these
                note(f"{name} has no score: {error}")
                continue
        if interrupts.pressed:  # the fit has kept what it had, but it is no fair score
            raise KeyboardInterrupt
        say(f"{name:30}  {a:10.4g}  {b:14.3f}  {time.perf_counter() - begin:7.1f}")
        say_warnings(caught)
    if problem.task == "regression":
        say("(log-likelihood: nats per row, higher is better; other models as Gaussians of constant variance)")


def _convergence_warnings():
    """A context that collects convergence warnings."""
    return warnings.catch_warnings(record=True, action="always", category=ConvergenceWarning)


# -- files -------------------------------------------------------------------------------------------------------------


def _save(mixture, problem, options):
    """Write the pipeline, its picture and its page; where one is not made, that of an earlier run is taken away."""
    pipeline, folder = make_pipeline(*problem.before, *(step for _, step in mixture.steps)), options.out
    path, picture, page = folder / "model.joblib", folder / "experts.png", folder / "report.html"
    try:
        with whole_file(path) as file:
            joblib.dump(pipeline, file)
        say(f"fitted pipeline: {path} (joblib.load; its X has the columns {listed(problem.names)})")
        if not _save_picture(mixture, problem, picture):
            picture.unlink(missing_ok=True)
        if options.report:
            _save_page(mixture, problem, page)
        else:
            page.unlink(missing_ok=True)
    except BrokenPipeError:  # of the text that is printed, not of the files
        raise
    except OSError as error:
        raise TableError(f"--out {error.filename2 or folder}: {error.strerror or error}") from None


def _save_page(mixture, problem, path):
    """Write the explorer of the model."""
    with progress(f"writing {path}"):
        page = html(mixture, problem.X, problem.y, title=problem.title, target_name=problem.target)
    with whole_file(path) as file:
        file.write(page.encode("utf-8"))
    say(f"explorer: {path} (open it in a browser; it holds the rows)")


def _save_picture(mixture, problem, path):
    """Plot the experts along the feature with the largest gate coefficients, if matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        say("picture: none, since matplotlib is not installed (python -m pip install matplotlib)")
        return False
    model, names = mixture[-1], _names(mixture[-1], problem)
    columns = mixture[:-1].transform(problem.X) if len(mixture) > 1 else problem.X
    j = int(model.model_.gate.column_strength(model.gate_, model.columns_.gate.design).argmax())
    if np.ptp(np.asarray(columns)[:, j]) == 0.0:
        say(f"picture: none, since {names[j]} has a single value")
        return False
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    labels = {} if problem.task == "classification" else {"target_name": plain(problem.target)}
    ExpertsDisplay.from_estimator(model, columns, problem.y, feature=j, feature_name=plain(names[j]), ax=axes, **labels)
    with warnings.catch_warnings(record=True) as caught, whole_file(path) as file:
        warnings.simplefilter("always")
        figure.savefig(file, format="png")
    if any("Glyph" in str(warning.message) for warning in caught):
        note("the font of the picture lacks some characters of the names")
    others = "" if len(names) == 1 else ", the other features at their medians"
    say(f"picture: {path} (experts and gate along {names[j]}{others})")
    return True
