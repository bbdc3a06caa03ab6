"""A seeded fuzzer: `tables` and `draws` make configurations, `checks` says what must hold of each, `shrinking` reduces
those that fail to small scripts. `benchmarks/ugly.py` runs it."""
