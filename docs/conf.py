"""Sphinx configuration. Needs the docs extra, an installed hme, and no network."""

import re
import shutil
import sys
import tomllib
from itertools import zip_longest
from pathlib import Path

from sphinx.util import logging

logger = logging.getLogger(__name__)

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE / "_extensions")]

# -- What is made afresh before every build ----------------------------------------------------------------------------

# Notebooks live at the top of the repository; Sphinx reads only below docs/. Copies keep their times, so that a second
# build executes what has changed and nothing else.
for folder in ("notebooks", "generated"):
    shutil.rmtree(HERE / folder, ignore_errors=True)
notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
for notebook in notebooks:
    (HERE / "notebooks").mkdir(exist_ok=True)
    shutil.copy2(notebook, HERE / "notebooks" / notebook.name)

# -- Project -----------------------------------------------------------------------------------------------------------

project = "hme"
author = "The hme developers"
copyright = "2026, The hme developers"
release = version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # puts MathJax among the pages, so that equations need no network
    "sphinx_design",
    "numpydoc",
    "myst_nb",  # brings the MyST parser
    "notebook_cards",
]
exclude_patterns = ["_build", "_extensions", "**.ipynb_checkpoints", "jupyter_execute"]
templates_path = ["_templates"]

# -- API pages ---------------------------------------------------------------------------------------------------------

autosummary_generate = True
autosummary_ignore_module_all = False  # __all__ is the contract
autosummary_imported_members = True
autodoc_typehints = "none"
add_module_names = False
numpydoc_show_class_members = False  # the class template lists them
numpydoc_xref_param_type = False
default_role = "code"  # `alpha` in a docstring is code


def skip_member(app, what, name, obj, skip, options):
    """Leave out what scikit-learn adds to every estimator: its texts point into its own user guide."""
    if re.fullmatch(r"set_\w+_request|get_metadata_routing|set_output|get_params|set_params", name):
        return True
    return None


def unlink_inherited(app, what, name, obj, options, lines):
    """Turn references of inherited docstrings into scikit-learn's user guide into plain text."""
    if (getattr(obj, "__module__", None) or "").startswith("sklearn."):
        lines[:] = [re.sub(r":ref:`([^`<]+?)\s*(?:<[^`]*>)?`", r"\1", line) for line in lines]


# -- Equations ---------------------------------------------------------------------------------------------------------


def name_equations(app, docname, source):
    """Fill the table of equation names of the theory page, and see that the code cites no other names."""
    if docname != "theory":
        return
    names = re.findall(r"^\$\$ \(eq:([a-z-]+)\)$", source[0], re.MULTILINE)
    table = ["| name | number | name | number |", "|---|---|---|---|"]
    cells = [f"`{name}` | {{eq}}`eq:{name}`" for name in names]
    half = (len(cells) + 1) // 2
    for left, right in zip_longest(cells[:half], cells[half:], fillvalue=" | "):
        table.append(f"| {left} | {right} |")
    source[0] = source[0].replace("<!-- table of equation names -->", "\n".join(table))
    for path in sorted((ROOT / "hme").rglob("*.py")):
        for citation in re.findall(r"\beqs?\. (\([^)]*\)(?:(?:,| and| to)\s+\([^)]*\))*)", path.read_text("utf-8")):
            for name in re.findall(r"\(([a-z-]+)\)", citation):
                if name not in names:
                    logger.warning("%s cites eq. (%s), which docs/theory.md lacks", path.relative_to(ROOT), name)


# -- Tables of families ------------------------------------------------------------------------------------------------


def tabulate_families(app, docname, source):
    """Fill the tables of the page of families from what the families say of themselves."""
    if docname != "families":
        return
    from hme.registry import EXPERTS, GATES, supports

    def reference(kind, family):
        return f"{{class}}`~hme.{kind}.{family.__name__}`"

    def yes(value):
        return "yes" if value else ""

    experts = ["| name | class | y | exact | blocks | ties |", "|---|---|---|---|---|---|"]
    for name, family in EXPERTS.items():
        traits = family().traits
        cells = [f"`{name!r}`", reference("experts", family), traits.domain, yes(traits.exact), yes(traits.additive)]
        tied = {"shared_coef", "shared_weights"} & set(family().get_params())
        experts.append("| " + " | ".join([*cells, yes(tied)]) + " |")
    gates = ["| name | class | the objective is |", "|---|---|---|"]
    for name, family in GATES.items():
        kind = "log p(x, y)" if family().traits.generative else "log p(y given x)"
        gates.append(f"| `{name!r}` | {reference('gates', family)} | {kind} |")
    pairs = ["| expert | " + " | ".join(GATES) + " |", "|---|" + "---|" * len(GATES)]
    for name, expert in EXPERTS.items():
        pairs.append(f"| `{name}` | " + " | ".join(supports(expert, gate) for gate in GATES.values()) + " |")
    for kind, table in (("experts", experts), ("gates", gates), ("pairs", pairs)):
        source[0] = source[0].replace(f"<!-- table of {kind} -->", "\n".join(table))


# -- Rows of the page on accuracy --------------------------------------------------------------------------------------


def cells_of(table):
    """The cells of the lines of a table in Markdown."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def quote_accuracy(app, docname, source):
    """Fill the tables of the page on when not to use the package with rows of the tables of ranks."""
    if docname != "when-not":
        return
    text = (HERE / "accuracy.md").read_text("utf-8")
    tables = [part.partition("\n\n")[0].splitlines() for part in re.split(r"\n\n(?=\| method \|)", text)[1:]]
    kept = {
        "numbers": ["method", "RMSE", "log score", "CRPS", "RMSE / tuned", "coverage", "CPU, s"],
        "classes": ["method", "log loss", "accuracy", "Brier score", "near the best", "CPU, s"],
    }
    for kind, columns in kept.items():
        cells = next(rows for rows in map(cells_of, tables) if set(columns) <= set(rows[0]))
        places = [cells[0].index(column) for column in columns]
        by_name = {row[0]: "| " + " | ".join(row[place] for place in places) + " |" for row in cells}

        rule = "|---" * len(columns) + "|"

        def quoted(match, by_name=by_name, rule=rule):
            return "\n".join([by_name["method"], rule, *(by_name[name] for name in match[1].split("; "))])

        source[0] = re.sub(rf"<!-- accuracy of {kind}: (.*?) -->", quoted, source[0])


def drop_empty_list(app, docname, source):
    """No notebooks, no list of them."""
    if docname == "notebooks" and not notebooks:
        source[0] = source[0].partition("\n|")[0]


def setup(app):
    app.connect("autodoc-skip-member", skip_member)
    app.connect("autodoc-process-docstring", unlink_inherited, priority=100)
    app.connect("source-read", name_equations)
    app.connect("source-read", tabulate_families)
    app.connect("source-read", quote_accuracy)
    app.connect("source-read", drop_empty_list)
    app.extensions["sphinx-mathjax-offline"].parallel_read_safe = True  # it copies files, and does not say so
    made = ["gallery", "notebooks", "theory", "when-not"]  # they depend on more than their own text
    app.connect("env-get-outdated", lambda *_: made)


# -- Pages and notebooks -----------------------------------------------------------------------------------------------

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_dmath_double_inline = False

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 300  # seconds a cell
nb_kernel_rgx_aliases = {".*": "python3"}  # the kernel of this environment, whatever the author's was called
nb_merge_streams = True
nb_output_stderr = "remove-warn"  # nothing on the pages warns; warnings would name files of this machine

# -- HTML --------------------------------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = f"hme {release}"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["hme.css"]
html_theme_options = {
    "logo": {"text": "hme"},
    "navbar_center": [],  # all pages are in the sidebar
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": [], "gallery": [], "peers": []},
}
html_sidebars = {"**": ["tasks"]}
