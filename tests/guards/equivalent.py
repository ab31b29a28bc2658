"""Guards that can be taken away without harm, and why: what they stop is stopped elsewhere too."""

EQUIVALENT: dict[str, str] = {
    "stores.digest._no_float: raise ValueError(f'the float {text} has no canonical form')": (
        "the number would be read as null, and the line is then not what is written for that"
    ),
    "stores.signatures.PublicKey.parse: kind not in KINDS": "_check_key, called next, knows the same kinds",
    "stores.signatures._check_key: name not in KINDS": (
        "PublicKey.parse refuses such a line; a signature by such a key is verified by nobody (_verify_other)"
    ),
    "registry.chain.proposals: last.owner_count(signers) >= last.threshold": (
        "a next policy with enough signatures is in force, so it is not the one after the last"
    ),
    "registry.chain._signers: name.startswith(stem)": (
        "whose signature it is, is told by the signature; the name only spares trying all of them"
    ),
    "registry.chain._signers: name.endswith('.sig')": "the same: what is no signature does not verify",
    "stores.strict_yaml.read: raise NotStrict('the file is nested too deeply') from None": (
        "libyaml has a limit of its own; this is for a PyYAML that was built without it"
    ),
    "registry.fold.Log.tips: other is not one": "no event has seen itself",
    "registry.fold.fold: copied(path)": "what is no copy of a review is not asked for by anybody",
    "registry.fold._order: earlier not in done": "it only spares looking at an event twice",
    "registry.rules._request_problems: named is None": "a request without a subject has not its form",
    "registry.releases.Releases._judge: problems": "without problems there is none that is no 'why' either",
    "registry.releases.Releases._request: one.id != item.id": "a release is no vote, check or withdrawal",
    "registry.releases.Releases._request: verdict.has(one.code)": "it only spares saying a problem twice",
}
