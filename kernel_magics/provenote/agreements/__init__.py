"""Agreements about data: what stands in them, whom their end concerns, and the deletion that it asks for.

The file itself is read by `provenote.stores.agreements`.
"""
