"""Shared reviews of notebooks: signed comments and votes on the branch `provenote-reviews`."""
