"""Who plays with whom in a matrix: which program that is handed in is the server, and which the client."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from lab.core.archive import Tree
from lab.core.errors import ScenarioError, UsageError
from lab.grade.assignment import Rule
from lab.grade.reading import STAND_IN, Assigned, Played, digest_of
from lab.scenario.languages import language_of
from lab.scenario.loader import load, with_trees
from lab.scenario.loader.wording import listed

REFERENCE = "reference:"
"""The key of the reference solution. That of a student begins with where the name is from."""

_MEND = "say which: `matrix: {server: server, client: client}`"


class Reference(Struct, frozen=True):
    """The solution of the assignment's own, as far as it is there: the roles it has, hash and languages."""

    roles: frozenset[str] = frozenset()
    digest: str = ""
    languages: tuple[str, ...] = ()


class Pairing(Struct, frozen=True):
    """The two programs that play, and the assignment with the scenarios of the matrix, each played once.

    These are read with the reference solution, where that is there.
    """

    server: str
    client: str
    assigned: Assigned
    reference: Reference

    @property
    def roles(self) -> tuple[str, str]:
        """Both programs, the server first."""
        return self.server, self.client


def paired(assigned: Assigned) -> Pairing:
    """What a matrix of an assignment plays. UsageError if it is not clear."""
    programs, wanted = assigned.assignment.submit.programs, assigned.assignment.matrix
    both = [one for one in assigned.played if len(one.brought) > 1]
    if wanted.scenarios:
        both = [one for one in assigned.played if one.name in wanted.scenarios]
    if len(programs) < 2 or not both:
        what = "a matrix needs a scenario with two programs that are handed in, a server and a client"
        raise UsageError("no-matrix", what, fix=f"programs that are handed in: {listed(programs)}")
    server = wanted.server or _only(_listening(both), "that listen")
    client = wanted.client or _only([name for name in _brought(both) if name != server], "besides the server")
    own = [one for one in both if {server, client} <= {*one.brought}]
    lacking = [one.name for one in both if one not in own]
    if server == client or (wanted.scenarios and lacking) or not own:
        what = f"{listed(lacking) or 'the matrix'} has not both a server {server} and a client {client}"
        raise UsageError("no-matrix", what, fix=_MEND)
    roles = frozenset(role for role in (server, client) if all(_has_reference(one, role) for one in own))
    played = tuple(_once(one, roles) for one in own)
    assignment = assigned.assignment.model_copy(update={"sanitizers": False})
    rest = replace(assigned, assignment=assignment, played=played)
    return Pairing(server, client, rest, _reference(played, roles))


def _once(one: Played, roles: frozenset[str]) -> Played:
    case = one.case.model_copy(
        update={"runs": 1, "rule": Rule(), "points": float(one.case.worth), "needs": (), "adversary": ()}
    )
    others = (name for name in one.brought if name not in roles)
    return replace(one, case=case, loaded=load(one.file, dict.fromkeys(others, STAND_IN)))


def _has_reference(one: Played, role: str) -> bool:
    others = (name for name in one.brought if name != role)
    try:
        load(one.file, dict.fromkeys(others, STAND_IN))
    except ScenarioError:
        return False
    return True


def _reference(played: Sequence[Played], roles: frozenset[str]) -> Reference:
    state = hashlib.sha256()
    languages = set()
    for role in sorted(roles):
        for one in played:
            program = one.loaded.scenario.programs[role]
            tree = one.loaded.trees.get(program.build_of or role, Tree())
            state.update(f"{role}\0{one.name}\0{digest_of(tree)}\0".encode())
            languages.add(language_of(tree))
    return Reference(roles, state.hexdigest(), tuple(sorted(languages - {""})))


def _brought(played: Sequence[Played]) -> list[str]:
    return list(dict.fromkeys(name for one in played for name in one.brought))


def _listening(played: Sequence[Played]) -> list[str]:
    return [
        name
        for name in _brought(played)
        if any(name in one.brought and one.loaded.scenario.programs[name].listens for one in played)
    ]


def _only(names: Sequence[str], which: str) -> str:
    if len(names) == 1:
        return names[0]
    what = f"it is not clear who plays with whom: programs {which}: {listed(names) or 'none'}"
    raise UsageError("no-matrix", what, fix=_MEND)


def fault_of(tree: Tree, role: str, pairing: Pairing) -> str:
    """Why a submission has no program for a role, before anything is built; nothing if it may have one."""
    for one in pairing.assigned.played:
        try:
            with_trees(one.loaded, {role: tree})
        except ScenarioError:
            continue
        except UsageError as error:
            return error.what
    return ""
