"""From what is wanted, what there is and what is held, to what is to be done: a pure function.

A version that is not wanted any more serves on until those that take its place are ready, unless it was unloaded by
hand. What the store has lost serves on, too, until something else is wanted and ready.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from brood.store.source import Found
from brood.store.wanted import Choice, Wanted

Key = tuple[str, int]  # name, version; version 0 stands for a model of which there is none


@dataclass(frozen=True, slots=True)
class Held:
    """What a host knows of one version."""

    ready: bool  # it serves
    tried: int = 0  # revision of what was wanted when it was last tried to load
    stamp: str = ""  # of the store's files at that time
    due: bool = False  # it failed, for a reason that may have passed: it shall be tried again now


@dataclass(frozen=True, slots=True)
class Steps:
    """What is to be done now."""

    load: tuple[Found, ...]  # one after another; what is ready already is to be replaced if its bytes are others
    drop: tuple[Key, ...]  # to be let go of at once
    absent: Mapping[Key, str]  # wanted by name or number, and not there → what there is instead


def next_steps(wanted: Wanted, found: Sequence[Found], held: Mapping[Key, Held]) -> Steps:
    """What is to be done. After each step it may be something else, so ask again.

    Args:
        wanted: what shall be served.
        found: what the store has.
        held: what is known here of versions, those that failed among them.
    """
    there: dict[str, set[int]] = defaultdict(set)
    for each in found:
        there[each.name].add(each.version)
    chosen = {name: wanted.of(name).chosen(there[name]) for name in there.keys() | wanted.named()}
    load = [each for each in found if each.version in chosen[each.name] and _to_load(wanted.of(each.name), each, held)]
    drop = [key for key in held if _to_drop(key, wanted.of(key[0]), chosen.get(key[0], frozenset()), held)]
    return Steps(tuple(load), tuple(drop), _absent(wanted, there, chosen, held))


def _to_load(choice: Choice, found: Found, held: Mapping[Key, Held]) -> bool:
    known = held.get(found.key)
    if known is None:
        return True
    if known.ready:
        return known.tried < choice.reload_of(found.version)
    return known.due or known.stamp != found.stamp or known.tried < choice.asked


def _to_drop(key: Key, choice: Choice, chosen: frozenset[int], held: Mapping[Key, Held]) -> bool:
    name, version = key
    if version in chosen:
        return False
    replaced = bool(chosen) and all((name, other) in held and held[name, other].ready for other in chosen)
    return replaced or choice.dismissed(version) or not held[key].ready


def _absent(
    wanted: Wanted, there: Mapping[str, set[int]], chosen: Mapping[str, frozenset[int]], held: Mapping[Key, Held]
) -> dict[Key, str]:
    known = ", ".join(sorted(name for name, versions in there.items() if versions)) or "none"
    found: dict[Key, str] = {}
    for name in sorted(wanted.named()):
        serving = {version for other, version in held if other == name and held[other, version].ready}
        if not there[name] and not serving:
            found[name, 0] = f"no such bundle; there are: {known}"
        elif there[name]:
            offered = ", ".join(map(str, sorted(there[name])))
            missing = chosen[name] - there[name] - serving
            found |= {(name, number): f"no such version; there are: {offered}" for number in missing}
    return found
