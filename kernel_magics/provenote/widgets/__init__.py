"""What a notebook shows of runs: static blocks that survive in a saved notebook, and live ones.

`static` makes MIME bundles and needs no widget; `live` shows a tracked cell while it runs.
"""
