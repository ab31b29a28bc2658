"""Tracking: a run from its start to its commit, and what is captured without asking."""
