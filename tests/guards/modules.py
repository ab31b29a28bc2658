"""What is looked at: modules of the verifier, their functions that guard nothing, and files of attacks."""

MODULES: dict[str, frozenset[str]] = {
    f"provenote.{name}": frozenset(skipped)
    for name, skipped in {
        "stores.digest": {"manifest", "sha256", "_file", "_resources", "canonical", "_check"},
        "stores.eventfile": {"seal", "timestamp"},
        "stores.signatures": {"ecdsa_raw"},
        "registry.event": {"compose"},
        "registry.subject": (),
        "registry.chain": {"signed"},
        "registry.policy": {"Policy.stages"},
        "registry.policy_file": (),
        "stores.strict_yaml": {"Table.has"},
        "registry.evidence": {"text", "figures"},
        "registry.fold": {"Log.heads"},
        "registry.rules": {"_lacking", "_may_not", "no_rule"},
        "registry.releases": {"Releases.ends"},
        "registry.state": {"State._nothing", "Promotion.waiting"},
        "stores.ledger": {
            "Ledger.known_elsewhere",
            "Ledger._write",
            "Ledger._move",
        },
        "registry.root": (),
        "registry.reading": {"there", "_claimed"},
        "registry.model_bytes": (),
        "registry.load": {"_kept", "_compare_environment"},
        "registry.hook": (),
        "registry.hook_push": (),
        "registry.hook_ledger": (),
        "registry.hook_tags": (),
        "registry.joining": {"find", "join", "open_ones"},
        "registry.verifying": (),
        "registry.figures": (),
        "registry.reviewed": (),
        "registry.hook_reviews": (),
        "reviews.fold": (),
        "reviews.event": {"compose"},
        "registry.checking": {"check", "check.planner", "_said", "_whole"},
        "registry.tags": {"project", "_make", "existing", "below"},
    }.items()
}

FILES = (
    "unit/test_attacks.py",
    "unit/test_evidence.py",
    "integration/test_gate_attacks.py",
    "unit/test_fold.py",
    "unit/test_releases.py",
    "unit/test_policy.py",
    "unit/test_signatures.py",
    "unit/test_review_threads.py",
    "unit/test_review_form.py",
    "integration/test_review_gate.py",
)
