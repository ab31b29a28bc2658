"""Looking back over runs: the query language, the table, one run in full.

Pure functions work on `provenote.model.Row`; only the last steps of `table` and `show` read the index.
"""
