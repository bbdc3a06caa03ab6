"""The sentences of the page that say what was done; its figures come from the rows."""

__all__ = ["BARS", "CLASSES", "HEAD", "LEFT_OUT", "MODEL_TEXT", "PROTOCOL_TEXT", "SUMMARY"]

HEAD = """<!-- Made by: PYTHONPATH=. python benchmarks/accuracy.py --report -->

# Accuracy on real tables

    PYTHONPATH=. OMP_NUM_THREADS=1 HME_DATA=FOLDER python benchmarks/accuracy.py
    PYTHONPATH=. OMP_NUM_THREADS=1 HME_DATA=FOLDER python benchmarks/accuracy.py --ngboost FOLDER
    PYTHONPATH=. python benchmarks/accuracy.py --report

The first two commands run what has no row yet in `benchmarks/results/`, the last one writes this page from the rows."""

PROTOCOL_TEXT = """Protocol {protocol}: the first five standard splits of a table where it has them, else five
seeded, stratified splits with a fifth for testing (digits, breast cancer); vowel and satimage have one split.
Training rows are cut to 8,000, the first of a seeded permutation. Every method runs on one thread. Measured with
{versions}; {spent}.

- **Choices are made on training rows alone.** A method is a function of the training rows, and of nothing else;
  what it returns is then asked about the test rows, whose targets only the scores see. Settings that are chosen,
  numbers of trees and noise come from rows held out of the training rows; spaces of settings and the pool were
  written down before the first row was run. Where rows come in groups (vowel, pb52: the speakers), folds and
  held-out rows are whole groups.
- **Point predictions get normal noise of constant variance**, the mean square of errors on rows that were not seen:
  those of five folds with the chosen settings; for random forests, out-of-bag errors; for Cubist and EBM, which
  cost more, those on a fifth held out. Tuned methods are cross-fitted anew with what was chosen. The linear stack's
  errors are those on the folds of its models, without the rows of a fold in either level.
- **The log score** (larger is better) is the mean test log-density. Where y has fewer than 100 different values
  (wine, abalone), it is for every method the log-probability of the rounding cell, a difference of distribution
  functions: densities of tied values are no contest. The worst row is the smallest log score of a single test row.
- **Ranks** are those of a table's means over its splits, averaged over the tables. The pictures show the critical
  difference of Nemenyi's test at 5 % (Demsar, 2006); methods joined by a bar do not differ by it."""

SUMMARY = """Of all methods that have every row: mean ranks; geometric means over the tables of the ratio of RMSE to
tuned HistGradientBoosting and to the linear stack, and the largest ratio to the stack; tables on which the log
score is better than the stack's; mean coverage of 90 % intervals; the worst row; mean CPU seconds of a split,
fitting and predicting. One fit of `HMEStackingRegressor` gives its models to the linear stack too, which is charged
their seconds and its own; a control's seconds are those of the method whose fit it shares."""

BARS = """The bounds were set before the estimator was written. CPU: that of the whole fit, as a multiple of what its
models took in the search for boosting, in cross-fitting (with one fit more of each, without two folds) and in their
fits to all rows."""

MODEL_TEXT = """What the stacks combine, alone: the models that our stack fitted to all training rows."""

LEFT_OUT = """Beside it, without a rank, stand methods that would count a kind twice or cost too much, and two controls.
LightGBM by default is a twin of HistGradientBoosting, random forest of extra trees; NGBoost is a third boosting of mean
and variance and needs an environment of its own; EBM is left out for its cost; HME chosen by cross-validation is a
second HME."""

CLASSES = """All of these are ranked. A probability below 0.000001 counts as that in the log loss: forests give
zeros. Near the best: tables on which the log loss is within one standard error, over test rows, of the best
method's."""
