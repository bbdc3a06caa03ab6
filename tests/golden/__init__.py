"""Golden values: what many fits give, to be compared after changes that must not change any number."""
