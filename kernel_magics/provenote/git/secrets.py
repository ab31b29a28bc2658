"""Rules that tell a secret in a text: provider-shaped tokens are certain, assignments are likely.

The rules were written for this project and tried on 60 real notebooks (docs/explanation/security.md);
they are a safety net, not a proof. A line that carries ``provenote: not a secret`` is left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

KEY_FILES = frozenset({"id_rsa", "id_ed25519", "id_ecdsa", "id_dsa", ".netrc", ".pgpass", ".git-credentials"})
KEY_SUFFIXES = (".pem", ".key", ".p12", ".pfx", ".keystore", ".jks")

# A rule that begins with plain characters is found by those: `task-` is everywhere, and `sk-` after a word
# boundary is not.
_CERTAIN = {
    "AWS access key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_\w{22,}",
    "GitLab token": r"\bglpat-[\w-]{20,}",
    "Slack token": r"\bxox[abprs]-[\w-]{10,}|hooks\.slack\.com/services/T\w+/B\w+/\w+",
    "private key": r"-----BEGIN (?:[A-Z ]+ )?PRIVATE KEY-----",
    "Azure storage key": r"AccountKey=[A-Za-z0-9+/=]{40,}",
    "Google API key": r"\bAIza[\w-]{35}\b",
    "model provider key": r"sk-(?<!\wsk-)(?:ant-|proj-)?[\w-]{32,}",
    "Hugging Face token": r"\bhf_[A-Za-z]{30,}",
    "JSON web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "Telegram token": r":(?:(?<=\b\d{8}:)|(?<=\b\d{9}:)|(?<=\b\d{10}:))[A-Za-z0-9_-]{35}\b",
    "tracker key": r"(?i:wandb|neptune|comet)\w*(?i:key|token)[\"']?\s*[:=]\s*[\"'][\w=+/-]{25,}",
}
_LIKELY = {
    "password in an address": r"\b[a-z][a-z0-9+.-]*://[^\s:/@\"']+:[^\s:/@\"'{}$<]{4,}@[\w.-]+",
    "assigned secret": (
        r"(?i:\b(?:\w*_)?(?:password|passwd|secret|api_?key|access_?key|auth_?token|token)\b)"
        r"[\"']?\s*[:=]\s*[\"'][^\"'\s{}$<>]{8,}[\"']"
    ),
}
_HINTS: dict[str, tuple[str, ...]] = {
    "AWS access key": ("AKIA", "ASIA"),
    "GitHub token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    "GitLab token": ("glpat-",),
    "Slack token": ("xox", "hooks.slack.com"),
    "Google API key": ("AIza",),
    "model provider key": ("sk-",),
    "Hugging Face token": ("hf_",),
    "JSON web token": ("eyJ",),
    "tracker key": ("wandb", "neptune", "comet"),
    "password in an address": ("://",),
}
"""What a text has in lower or its own case wherever the rule matches: a search of that is far faster."""
# Compiled at the first scan: the kernel's start does not pay for it.
_compiled: dict[str, re.Pattern[str]] = {}
_WAIVER = "provenote: not a secret"


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret found in a text: its kind and place, never its value.

    Parameters
    ----------
    kind : str
        What it looks like, e.g. ``"GitHub token"``.
    start, end : int
        Where it stands in the text.
    certain : bool
        Whether the form alone proves it (a provider's token) or only suggests it (an assignment).
    """

    kind: str
    start: int
    end: int
    certain: bool


def find(text: str, *, likely: bool = True) -> list[Finding]:
    """Return the secrets in ``text``, in order of their place."""
    found = []
    lower = text.lower()
    for table, sure in ((_CERTAIN, True), (_LIKELY, False)) if likely else ((_CERTAIN, True),):
        for kind, rule in table.items():
            if kind in _HINTS and not any(hint in text or hint in lower for hint in _HINTS[kind]):
                continue
            pattern = _compiled.get(kind) or _compiled.setdefault(kind, re.compile(rule))
            found += [
                Finding(kind, m.start(), m.end(), sure)
                for m in pattern.finditer(text)
                if not _waived(text, m)
            ]
    return sorted(found, key=lambda finding: finding.start)


def certain(content: bytes) -> bool:
    """Whether a file holds a provider-shaped token or a private key (binary files never match)."""
    if b"\0" in content[:8000]:
        return False
    return bool(find(content.decode("utf-8", errors="replace"), likely=False))


def redact(text: str) -> tuple[str, int]:
    """Replace the certain secrets of ``text``; return the new text and how many there were."""
    found = find(text, likely=False)
    for finding in reversed(found):
        text = f"{text[: finding.start]}[{finding.kind} redacted]{text[finding.end :]}"
    return text, len(found)


def _waived(text: str, match: re.Match[str]) -> bool:
    start = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.end())
    return _WAIVER in text[start : end if end >= 0 else len(text)]
