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
    "registry.hook.check: update.ref == LEDGER": "the branch is only looked at once more",
    "registry.hook_ledger._check_signature: judge is None": "its policy was refused just before",
    "registry.hook_ledger._owners_signed: other.endswith('.sig')": (
        "what is no signature of this policy does not verify; the name only spares trying"
    ),
    "registry.hook_ledger._owners_signed: other.startswith(stem)": "the same",
    "registry.hook_ledger.read.known: (name := event.event_id(path))": "nobody asks for an event without id",
    "registry.reading.read.known: (name := event.event_id(path))": "nobody asks for an event without id",
    "registry.hook_reviews.check: content is not None": "its size was not found either, so it was refused",
    "registry.reviewed.Reviewed.opinion: one.version": "a vote without a version has not its form",
    "reviews.fold.Book.versions: item.version is None": "what puts none under review has not its form",
    "registry.hook_push.Push.sizes: pair[1].isdigit()": "Git refuses a push whose objects are not there",
    "registry.model_bytes._folder: digest.check_name(entry.path)": (
        "`cache.entries` refuses what leaves the folder, and `manifest_of` all the rest"
    ),
    "registry.model_bytes._folder: remotes.require(workspace, artifact.md5, tell)": (
        "`cache.entries` tells that the list is not here; only fetching it would be missed"
    ),
    'registry.model_bytes._lay: raise BadBytes(f"the model\'s list of files names {place.name} twice") '
    "from error": "`manifest_of` refuses a list that names a file twice",
    "registry.model_bytes.approved: isinstance(entry, dict)": "`Artifact.read` refuses what is no map",
    "registry.state.State._compared: rule.metrics": "it only spares a look where nothing is compared",
    "registry.verifying._hashed: len(place) != 32": "under another name there is nothing with that MD5",
    "registry.verifying._hashed: place.isalnum()": "the same",
    "registry.verifying._hashed: cache.locate(cache_dir, md5) is None": "it is asked for again below",
    "registry.verifying._hashed: found is None": "it is there a line before",
    "stores.ledger.Ledger.unite: path not in ours": "the same path has the same content, or all is refused",
    "registry.fold.Log.tips: other is not one": "no event has seen itself",
    "registry.fold.fold: copied(path)": "what is no copy of a review is not asked for by anybody",
    "stores.eventfile.in_order: earlier not in done": "it only spares looking at an event twice",
    "registry.rules._request_problems: named is None": "a request without a subject has not its form",
    "registry.releases.Releases._judge: problems": "without problems there is none that is no 'why' either",
    "registry.releases.Releases._request: one.id != item.id": "a release is no vote, check or withdrawal",
    "registry.releases.Releases._request: verdict.has(one.code)": "it only spares saying a problem twice",
}
