"""Make ``docs/reference/commands.md`` from the verb tree: ``python docs/generate.py [--check]``."""

from __future__ import annotations

import sys
from pathlib import Path

from provenote.commands.tree import Parameter, Verb, verbs

TARGET = Path(__file__).parent / "reference" / "commands.md"
HEAD = """# Commands

Made from the verb tree by `python docs/generate.py`; do not edit. In a shell: `provenote VERB`; in a
notebook: `%pv VERB` (the same as `%provenote VERB`). Every verb takes `--json` and `--help`. Exit status:
0 yes, 1 the verdict is no or the job failed, 2 the user's mistake, 3 a broken world (disk, network, remote).
"""


def usage(verb: Verb) -> str:
    """Return the line that is typed."""
    words = ["provenote", *verb.path]
    for parameter in verb.parameters:
        words.append(_word(parameter))
    return " ".join(words)


def _word(parameter: Parameter) -> str:
    name = parameter.name.rstrip("_").upper()
    if parameter.kind == "repeated":
        return f"[{name} ...]"
    if parameter.kind == "positional":
        return name if parameter.required else f"[{name}]"
    flag = parameter.short or parameter.flag
    text = flag if parameter.kind == "flag" else f"{flag} {name}"
    return text if parameter.required else f"[{text}]"


def section(verb: Verb) -> str:
    """Return the section of one verb."""
    lines = [f"## {verb.name}", "", f"`{usage(verb)}`", "", verb.description, ""]
    if verb.parameters:
        lines += ["| argument | meaning |", "|---|---|"]
        for parameter in verb.parameters:
            options = parameter.kind in ("option", "flag", "multiple")
            name = (
                f"{parameter.short}, {parameter.flag}".lstrip(", ")
                if options
                else parameter.name.rstrip("_").upper()
            )
            lines.append(f"| `{name}` | {parameter.help.replace('|', chr(92) + '|')} |")
        lines.append("")
    return "\n".join(lines)


def document() -> str:
    """Return the whole page."""
    tree = sorted(verbs().values(), key=lambda verb: verb.path)
    contents = "\n".join(f"- [{verb.name}](#{verb.name.replace(' ', '-')}): {verb.summary}" for verb in tree)
    return "\n".join([HEAD, contents, "", *(section(verb) for verb in tree)]).rstrip() + "\n"


if __name__ == "__main__":
    text = document()
    if "--check" in sys.argv:
        sys.exit(
            0
            if TARGET.read_text(encoding="utf-8") == text
            else f"{TARGET} is behind: python docs/generate.py"
        )
    TARGET.write_text(text, encoding="utf-8")
