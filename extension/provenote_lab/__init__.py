"""The Jupyter Server side of the sidebar."""


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "@provenote/lab"}]
