"""A verdict as JUnit XML, which every continuous integration shows: a test case for each finding. Pure.

Form: the schema that Jenkins and GitLab read (``testsuite``, ``testcase`` with ``classname`` and ``name``,
``failure``, ``error``, ``skipped``, ``properties``). What is not judged is an error there: nothing that is
open may look green.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from provenote.checks.verdict import Finding, Verdict

# What XML 1.0 does not allow, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(verdict: Verdict) -> str:
    """Return the file's text.

    Parameters
    ----------
    verdict : Verdict
        Its subject's ``notebook`` becomes the ``classname``.
    """
    outcomes = [one.outcome for one in verdict.findings]
    where = verdict.subject.get("notebook") or verdict.subject.get("reference") or verdict.name
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": _clean(verdict.name),
            "tests": str(len(outcomes)),
            "failures": str(outcomes.count("failed")),
            "errors": str(outcomes.count("error") + outcomes.count("not judged")),
            "skipped": str(outcomes.count("skipped")),
        },
    )
    _properties(suite, verdict.subject)
    for one in verdict.findings:
        suite.append(_case(one, _clean(where)))
    root = ElementTree.Element("testsuites", {**suite.attrib})
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(one: Finding, where: str) -> ElementTree.Element:
    facts = {"classname": where, "name": _clean(one.name)}
    seconds = one.evidence.get("seconds")
    if isinstance(seconds, (int, float)):
        facts["time"] = f"{seconds:.3f}"
    case = ElementTree.Element("testcase", facts)
    told: dict[str, Any] = {"outcome": one.outcome, "value": one.value, "limit": one.limit}
    if one.interval is not None:
        told |= {"low": one.interval[0], "high": one.interval[1]}
    for key in ("metric", "rows", "blocks", "cell", "smallest_detectable"):
        told[key] = one.evidence.get(key)
    _properties(case, {key: value for key, value in told.items() if value is not None})
    tag = {"failed": "failure", "error": "error", "not judged": "error", "skipped": "skipped"}.get(
        one.outcome
    )
    if tag is not None:
        why = one.why if one.outcome != "not judged" else f"not judged: {one.why}"
        child = ElementTree.SubElement(case, tag, {"message": _clean(why)})
        if tag != "skipped":
            child.set("type", one.outcome)
        lines = [why, *([one.mend] if one.mend else [])]
        child.text = _clean("\n".join(lines))
    return case


def _properties(parent: ElementTree.Element, facts: Mapping[str, Any]) -> None:
    if facts:
        below = ElementTree.SubElement(parent, "properties")
        for name, value in facts.items():
            ElementTree.SubElement(below, "property", {"name": _clean(name), "value": _clean(str(value))})


def _clean(words: str) -> str:
    return _NOT_XML.sub("\ufffd", words)
