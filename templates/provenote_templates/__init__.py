"""The papermill notebooks that come with Provenote: start from one with ``provenote new``."""
