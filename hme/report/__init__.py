"""The explorer: a fitted model and its rows as one HTML file, to look at in a browser without a server or a network."""

from .write import html, write

__all__ = ["html", "write"]
