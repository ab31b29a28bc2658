"""Contracts of data: what a file may hold, written beside its pointer, checked before anyone trains on it."""
