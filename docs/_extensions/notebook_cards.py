"""A directive that shows notebooks as cards, each with the first picture that its execution has drawn.

Titles and texts are those of the tables on the page of notebooks. Pictures come from the executed notebooks, so that
none of them is kept in the repository.
"""

import re
from html import escape
from pathlib import PurePosixPath

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

CARD = """<div class="sd-col sd-d-flex-row">
<div class="sd-card sd-sphinx-override sd-w-100 sd-shadow-sm sd-card-hover">
{picture}<div class="sd-card-body">
<div class="sd-card-title sd-font-weight-bold">{title}</div>
<p class="sd-card-text">{text}</p>
</div>
<a class="sd-stretched-link" href="{link}"><span>{title}</span></a>
</div>
</div>"""
GRID = (
    '<div class="sd-container-fluid sd-sphinx-override sd-mb-4"><div class="sd-row sd-row-cols-1 sd-row-cols-xs-1 '
    'sd-row-cols-sm-2 sd-row-cols-md-3 sd-row-cols-lg-3 sd-g-3">{}</div></div>'
)


class notebook_cards(nodes.General, nodes.Element):
    """Where the cards will stand."""


class NotebookCards(SphinxDirective):
    """``notebook-cards``: a card for each row of the tables on the page of notebooks."""

    def run(self):
        return [notebook_cards()]


def rows_of(text):
    """Title, name of the document and text of every notebook in the tables of a page in Markdown."""
    return re.findall(r"^\| \[(.+?)\]\((notebooks/\w+)\.ipynb\) \| (.*?) \|$", text, re.MULTILINE)


def picture_of(app, name):
    """File name, among the images of the site, of the first picture of a notebook; None where it draws none."""
    for image in app.env.get_doctree(name).findall(nodes.image):
        if image["uri"].endswith((".png", ".svg")) and image["uri"] in app.env.images:
            return app.env.images[image["uri"]][1]
    return None


def put_cards(app, doctree, docname):
    """Replace the place of the cards by the cards."""
    for place in list(doctree.findall(notebook_cards)):
        cards, text = [], (app.srcdir / "notebooks.md").read_text("utf-8")
        for title, name, said in rows_of(text):
            if name not in app.env.all_docs:
                continue
            picture = picture_of(app, name)
            source = PurePosixPath(app.builder.imagedir, picture) if picture else None
            shown = f'<img class="sd-card-img-top" src="{source}" alt="{escape(said)}"/>' if source else ""
            link = app.builder.get_relative_uri(docname, name)
            cards.append(CARD.format(picture=shown, title=escape(title), text=escape(said), link=link))
        place.replace_self(nodes.raw("", GRID.format("\n".join(cards)), format="html") if cards else [])


def setup(app):
    app.add_node(notebook_cards)
    app.add_directive("notebook-cards", NotebookCards)
    app.connect("doctree-resolved", put_cards)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
