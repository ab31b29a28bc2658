"""Screens: cheap looks at data for leaks and poison. They name what to look at; no proofs."""
