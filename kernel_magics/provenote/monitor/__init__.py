"""Monitors: data and performance of a model in use, window by window, against the reference's own windows."""
