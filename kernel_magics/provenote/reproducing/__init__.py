"""Reproduce: run what a run ran once more, in a clean kernel, and say whether it gives the same.

`source` finds out what ran, `scratch` makes a repository of its own for it, `execution` runs it there,
`verdict` judges, `reasons` names what may part the two, `journey` walks through all of it.
"""
