"""Faces of a `View`: terminal text, static HTML, pictures, and lines of progress.

Nothing here computes a result. Every text that came from a run passes `legible` before it is shown.
"""
