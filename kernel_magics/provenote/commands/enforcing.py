"""Verbs of enforcement: guard the remote that others push to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from provenote.commands.tree import Context, verb
from provenote.view import Cell, Facts, Line, Part, Text, View

if TYPE_CHECKING:
    from provenote.registry.forges import Forge
    from provenote.registry.hook_file import Guard


@verb("guard install")
def guard_install(context: Context, repository: str, *, root: str | None = None) -> View:
    """Let a bare repository refuse pushes that its ledger does not allow.

    Writes a pre-receive hook that runs with the Python you call now. A hook that is there stays and is run
    after it.

    Parameters
    ----------
    repository : str
        Folder of the bare repository on this machine.
    root : str
        The root to trust, sha256:...; default: that of the ledger there, or of the first that is pushed.
    """
    from provenote.registry import hook_file

    return _shown(hook_file.install(repository, root))


@verb("guard remove")
def guard_remove(context: Context, repository: str) -> View:
    """Take the guard out of a bare repository, and put the hook that was there before back.

    Parameters
    ----------
    repository : str
        Folder of the bare repository on this machine.
    """
    from provenote.registry import hook_file

    found = hook_file.remove(repository)
    return View([Line(f"{found.folder} is not guarded any more", "ok")], _data(found))


@verb("guard status")
def guard_status(context: Context, repository: str) -> View:
    """Tell how a bare repository is guarded; exit status 1 when it is not.

    Parameters
    ----------
    repository : str
        Folder of the bare repository on this machine.
    """
    from provenote.registry import hook_file

    return _shown(hook_file.status(repository))


@verb("guard check")
def guard_check(
    context: Context, *, since: str | None = None, push: str | None = None, root: str | None = None
) -> View:
    """Check the ledger and the tags of a clone, as the bot on a forge does.

    Exit status 1 when something does not hold.

    Parameters
    ----------
    since : str
        Branch or commit that was verified before: the ledger must still hold it.
    push : str
        Give this remote the tags that are missing, and move its branch provenote-verified.
    root : str
        The root to trust, sha256:...; default: PROVENOTE_ROOT, or the pinned one.
    """
    from provenote.registry import bot

    found = bot.check(Path.cwd(), since, push, root)
    parts: list[Part] = [Line(line, "failed") for line in found.broken]
    parts += [Line(line, "warn") for line in found.remarks]
    parts += [Line(f"tag {name}: made", "ok") for name in found.made]
    if not found.broken:
        held = f", and holds {found.since[:12]}" if found.since else ""
        parts.append(Line(f"the ledger holds at {found.tip[:12]}{held}; the tags are as it says", "ok"))
    data = {
        "ledger": found.tip,
        "since": found.since,
        "broken": list(found.broken),
        "remarks": list(found.remarks),
        "made": list(found.made),
        "pushed": found.pushed,
    }
    return View(parts, data, status=1 if found.broken else 0)


@verb("guard github")
def guard_github(context: Context) -> View:
    """Write the workflow that checks the ledger on GitHub, and tell the settings to switch on."""
    return _forge(context, "github")


@verb("guard gitlab")
def guard_gitlab(context: Context) -> View:
    """Write the CI file that checks the ledger on GitLab, and tell the settings to switch on."""
    return _forge(context, "gitlab")


def _forge(context: Context, forge: Forge) -> View:
    from provenote.registry import forges, root

    top = context.workspace.top
    trusted = root.pinned(top)
    if trusted is None:
        raise root.none_pinned(None)
    path, new = forges.write(top, forge, trusted)
    place, settings = forges.PLACES[forge], forges.settings(forge)
    head = f"{place}: written. Commit it on the default branch" if new else f"{place}: is there already"
    data = {"file": str(path), "new": new, "root": f"sha256:{trusted}", "settings": settings}
    return View([Line(head, "ok"), Text(settings)], data)


def _shown(found: Guard) -> View:
    parts: list[Part] = [
        Line(f"{found.folder}: {found.state}", "ok" if found.works else "failed", "strong"),
        Facts([
            ("hook", Cell(str(found.hook), "code")),
            ("then", Cell("the hook that was there before" if found.behind else "nothing else")),
            ("ledger", Cell(found.ledger[:12] if found.ledger else "none yet", "code")),
            ("root", Cell(f"sha256:{found.root}" if found.root else "none yet", "code")),
        ]),
    ]  # fmt: skip
    if not found.works:
        parts.append(Line(f"Mend: `provenote guard install {found.folder}`"))
    elif found.root is None:
        parts.append(Line("Whoever pushes a ledger first decides whom this remote trusts.", "warn"))
        parts.append(Line(f"Say it before: `provenote guard install {found.folder} --root sha256:...`"))
    elif not found.pinned:
        parts.append(Line("The root is that of the first ledger pushed. Compare it with an owner's.", "warn"))
        parts.append(Line(f"Pin it: `provenote guard install {found.folder} --root sha256:{found.root}`"))
    return View(parts, _data(found), status=0 if found.works else 1)


def _data(found: Guard) -> dict[str, object]:
    return {
        "repository": str(found.folder),
        "hook": str(found.hook),
        "state": found.state,
        "behind": found.behind,
        "root": f"sha256:{found.root}" if found.root else None,
        "pinned": found.pinned,
        "ledger": found.ledger,
    }
