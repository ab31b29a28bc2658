"""Verdicts on data, models and runs, and the tests that give them."""
