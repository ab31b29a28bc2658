"""The verb tree: each verb is one typed function with one docstring, registered here once.

The command line, the magics and their ``--help``, and ``docs/reference`` are made from the signatures.
"""
