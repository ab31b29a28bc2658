"""Parameterized notebooks as reproducible jobs; a job is a run.

`launch.run_job` and `sweeps.sweep` check a request, submit it to an `executor.Executor` and follow it.
Each job has a folder (`folder`) with its specification (`spec`) and its events (`state` folds them), and a
process that owns it (`supervisor`). The notebook runs through papermill with our engine (`engine`).
"""
