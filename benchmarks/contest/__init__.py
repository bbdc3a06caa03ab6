"""The contest of `accuracy.py`: tables, methods, scores, kept rows, and the page made of them."""
