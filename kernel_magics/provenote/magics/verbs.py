"""``%pv VERB`` and the short magics: the verb tree with the notebook's namespace, shown in the cell."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from provenote.errors import Refused
from provenote.magics import shown, words

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from provenote.commands.tree import Context

SHORT = ("data", "runs", "compare", "job", "sweep", "test", "promote", "inbox", "review")
"""Line magics that are verbs, or groups of them, under the same name: those of the design that the tree has.

A list, so that loading the extension need not import the tree; a test holds it against the tree.
"""


def call(shell: InteractiveShell, verb: list[str], names: dict[str, Any]) -> None:
    """Call a verb and show its answer.

    Parameters
    ----------
    shell : InteractiveShell
        Where the answer is shown.
    verb : list of str
        The words behind ``provenote`` on a command line.
    names : dict
        The namespace in which the verb may look for Python values.

    Raises
    ------
    ProvenoteError
        In one line; `Refused` too when the verdict is no, so that the cell fails as the command would.
    """
    from provenote import cli

    asked = context(shell, names, quiet="--json" in verb)
    live = shown.live(asked, kernel=shown.is_kernel(shell)) if "--json" not in verb else None
    answer, as_json = cli.run(verb, asked)
    if as_json:
        sys.stdout.write(json.dumps(answer.data, ensure_ascii=False) + "\n")
    elif live is not None and live.drawn:
        live.close(answer)
    elif shown.is_kernel(shell) and answer.more.get("rows"):
        shown.runs(answer, asked.workspace, lambda runs: cli.run(["compare", *runs], asked)[0])
    elif shown.is_kernel(shell) and "review" in answer.more:
        shown.review(answer, asked.workspace)
    elif shown.is_kernel(shell) and "contract" in answer.more:
        shown.contract(answer)
    elif shown.is_kernel(shell) and answer.more.get("verdicts"):
        shown.verdicts(answer)
    else:
        shown.view(answer, kernel=shown.is_kernel(shell))
    if answer.status:
        raise Refused(f"the verdict of `%pv {' '.join(verb)}` is no", "The reasons stand above")


def short(name: str, line: str) -> list[str]:
    """Return the words of a short magic's verb: ``%job train.ipynb`` is ``job run train.ipynb``."""
    given = words.split(line)
    if name == "job" and not _below("job", given[:1]):
        return ["job", "run", *given]
    return [name, *given]


def _below(group: str, word: list[str]) -> bool:
    from provenote.commands import tree

    return not word or word[0] in ("-h", "--help") or tree.load_verb((group, word[0])) is not None


def context(shell: InteractiveShell, names: dict[str, Any], *, quiet: bool = False) -> Context:
    """Return the context of a verb called in ``shell``."""
    from provenote.commands.tree import Context
    from provenote.events import silent
    from provenote.render import progress

    tell = progress.notebook() if shown.is_kernel(shell) else progress.terminal()
    return Context("notebook", silent if quiet else tell, ask if person(shell) else None, names)


def person(shell: InteractiveShell) -> bool:
    """Whether a live person is there: never in a job, nor where the request allows no input."""
    if shown.in_job():
        return False
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    return sys.stdin is not None and sys.stdin.isatty()


def ask(subject: str, expected: str) -> str:
    """Show what would be signed, and return what the person types."""
    sys.stdout.write(f"{subject.rstrip()}\n\n")
    sys.stdout.flush()
    return input(f"Type {expected} to confirm, or nothing to leave: ").strip()
