"""Environments: look at the one of a run, compare two, build one again."""
