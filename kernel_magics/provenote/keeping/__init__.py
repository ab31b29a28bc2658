"""Keeping: what stays small, what stays for ever, and what may go.

`archive` takes old runs out of the way without losing one, `pins` holds bytes against a plain ``dvc gc``,
`garbage` removes what nothing needs, `storage` says what takes the room.
"""
