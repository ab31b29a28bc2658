"""Verbs of people: start a team's policy, ask to be let in, admit, and change who may what."""

from __future__ import annotations

from pathlib import Path

from provenote.commands.tree import Context, verb
from provenote.errors import UsageError, WorldError
from provenote.view import Line, View, said


@verb("join")
def join(
    context: Context,
    person: str | None = None,
    *,
    name: str | None = None,
    email: str | None = None,
    root: str | None = None,
) -> View:
    """Ask to be let in, with a request signed by your SSH key; an owner admits you.

    Parameters
    ----------
    person : str
        Your name in the policy; default: Git's user.name in lower case.
    name : str
        Your name in full; default: Git's user.name.
    email : str
        Your mail address, which ties runs you make to you; default: Git's user.email.
    root : str
        The root that an owner told you, sha256:...; it is pinned here with your signature.
    """
    from provenote.registry import joining
    from provenote.registry.starting import person_here

    guessed, shown, mail = person_here(context.workspace)
    made = joining.join(
        context.workspace,
        person or guessed,
        shown if name is None else name,
        mail if email is None else email,
        confirm=context.confirm,
        given=root,
    )
    told = f"{made.person} asks to be let in with the key {made.key.fingerprint}"
    more = "Share it: `provenote sync`. Tell an owner this fingerprint by another way"
    data = {"id": made.id, "person": made.person, "key": made.key.fingerprint}
    return View([Line(told, "ok"), Line(more)], data)


@verb("admit")
def admit(
    context: Context, person: str, *, role: list[str], key: str | None = None, pub: str | None = None
) -> View:
    """Let somebody in who asked, with one or more roles: the next policy, which owners sign.

    Parameters
    ----------
    person : str
        Their name, as they asked by `join`.
    role : list of str
        A role of the policy; may be repeated.
    key : str
        Fingerprint of their key, as they told it; needed for a further key of somebody, or when two ask.
    pub : str
        A file with the public key of somebody who cannot ask, as a continuous integration.
    """
    from provenote.registry import amending, joining, membership, policy_pages, reading
    from provenote.registry.names import check_person, visible

    place = context.workspace
    if pub is None:
        found = joining.find(reading.read(place), person, key)
        change = membership.admit(found.person, visible(found.name), visible(found.email), found.key, role)
    else:
        change = membership.admit(check_person(person), "", "", membership.public(Path(pub), key), role)
    return policy_pages.amended(amending.change_policy(place, change, confirm=context.confirm))


@verb("policy start", file="--from")
def policy_start(
    context: Context,
    *,
    file: str | None = None,
    write: str | None = None,
    stage: list[str] | None = None,
    person: str | None = None,
    email: str | None = None,
    key: str | None = None,
) -> View:
    """Start the governance of a team: you are the first owner, in the roles that the file gives you.

    Your signature makes policy 1, and its root is pinned here. Others `join` and you `admit` them.

    Parameters
    ----------
    file : str
        A file with roles and rules; default: what --write would write.
    write : str
        Only write that file, with comments, to edit it; nothing is signed.
    stage : list of str
        A stage, in the order in which a version goes through them; may be repeated; default: staging,
        production.
    person : str
        Your name in the policy; default: Git's user.name in lower case.
    email : str
        Your mail address; default: Git's user.email.
    key : str
        Your SSH key; default: Git's user.signingkey, the SSH agent's, or one in ~/.ssh, made if need be.
    """
    from provenote.registry import starting, team_policy

    if file is not None and (stage or write):
        raise UsageError("--from brings its own stages", "Leave --stage and --write out")
    text = _read(file) if file else team_policy.example(stage or ("staging", "production")).encode()
    if write is not None:
        _write(write, text)
        return said(f"{write} written. Edit it, then: `provenote policy start --from {write}`", file=write)
    started = starting.start_team(
        context.workspace,
        text,
        confirm=context.confirm,
        person=person,
        email=email,
        key=Path(key) if key else None,
    )
    parts = [Line(line, "ok") for line in started.lines]
    parts.append(Line("Share it: `provenote sync`. Others: `provenote join --root sha256:...`"))
    data = {"root": started.root, "person": started.person, "key": started.signer.public.fingerprint}
    return View(parts, data)


@verb("policy show")
def policy_show(context: Context, *, text: bool = False, out: str | None = None) -> View:
    """Show the policy in force: people, roles, owners, and who may bring which model where.

    Parameters
    ----------
    text : bool
        Also show its text as it was signed.
    out : str
        Write that text to this file, to edit it.
    """
    from provenote.registry import amending, policy_pages, reading

    registry = reading.read(context.workspace)
    if out is None:
        return policy_pages.shown(registry, amending.text(registry), text)
    _write(out, amending.text(registry).encode())
    return said(f"{out} written. Edit it, then: `provenote policy edit {out}`", file=out)


@verb("policy pending")
def policy_pending(context: Context) -> View:
    """Show the policies that wait for owners' signatures, what they change, and who asks to be let in."""
    from provenote.registry import policy_pages, reading

    return policy_pages.pending(reading.read(context.workspace))


@verb("policy sign")
def policy_sign(context: Context, policy: str | None = None) -> View:
    """Sign a policy that another owner proposed; it counts when enough owners have.

    Parameters
    ----------
    policy : str
        The start of its id; not needed when one waits.
    """
    from provenote.registry import policy_pages, proposing

    return policy_pages.amended(proposing.sign(context.workspace, policy, confirm=context.confirm))


@verb("policy edit")
def policy_edit(context: Context, file: str) -> View:
    """Make an edited text the next policy; `policy show --out` writes the present one to edit.

    Parameters
    ----------
    file : str
        The text. Its version, and what it follows, are written anew.
    """
    from provenote.registry import amending, policy_pages

    return policy_pages.amended(amending.edit(context.workspace, _read(file), confirm=context.confirm))


@verb("policy allow")
def policy_allow(context: Context, type: str) -> View:
    """Let skops models trust one more type, by a next version of the policy that an owner signs.

    Parameters
    ----------
    type : str
        Full name, as mypackage.models.Scaler, or mypackage.* for all of a package.
    """
    from provenote.registry import amending, policy_pages

    return policy_pages.amended(amending.allow(context.workspace, type, confirm=context.confirm))


@verb("policy role")
def policy_role(
    context: Context, person: str, *, add: list[str] | None = None, take: list[str] | None = None
) -> View:
    """Give a person a role, or take one.

    Parameters
    ----------
    person : str
        Their name in the policy.
    add : list of str
        A role they get; may be repeated.
    take : list of str
        A role they lose; may be repeated.
    """
    from provenote.registry import amending, membership, policy_pages

    if not add and not take:
        raise UsageError("which role?", f"`provenote policy role {person} --add ROLE` or `--take ROLE`")
    change = membership.roles(person, add or [], take or [])
    return policy_pages.amended(amending.change_policy(context.workspace, change, confirm=context.confirm))


@verb("policy owners")
def policy_owners(
    context: Context,
    *,
    add: list[str] | None = None,
    drop: list[str] | None = None,
    threshold: int | None = None,
) -> View:
    """Say who owns the policy, and how many of them must sign the next one.

    Parameters
    ----------
    add : list of str
        A person who becomes an owner; may be repeated.
    drop : list of str
        A person who is an owner no more; may be repeated.
    threshold : int
        How many owners must sign.
    """
    from provenote.registry import amending, membership, policy_pages

    if not add and not drop and threshold is None:
        raise UsageError("what shall change?", "`provenote policy owners --add NAME --threshold 2`")
    change = membership.owners(add or [], drop or [], threshold)
    return policy_pages.amended(amending.change_policy(context.workspace, change, confirm=context.confirm))


@verb("policy remove")
def policy_remove(
    context: Context, person: str, *, key: str | None = None, stolen: str | None = None
) -> View:
    """Take somebody out of the policy: what they released stays, what they sign from now on does not count.

    Parameters
    ----------
    person : str
        Their name in the policy.
    key : str
        Only the key with this fingerprint.
    stolen : str
        The key was stolen: what it signed counts only up to this commit of the ledger.
    """
    from provenote.registry import amending, membership, policy_pages, reading

    place = context.workspace
    since = membership.last_good(reading.read(place), stolen) if stolen else None
    change = membership.remove(person, key, since)
    return policy_pages.amended(amending.change_policy(place, change, confirm=context.confirm))


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def _write(path: str, content: bytes) -> None:
    try:
        with open(path, "xb") as stream:
            stream.write(content)
    except FileExistsError:
        raise UsageError(f"{path} exists already", "Name another file") from None
    except OSError as error:
        raise WorldError(f"{path} cannot be written: {error.strerror}") from error
