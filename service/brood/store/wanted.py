"""Which models shall be served: one value with a revision, which one party owns and every host follows.

The owner makes the next value from the last (`Wanted.after`); hosts take whatever has a revision that is not older
than theirs (`brood.host.host.Host.reconcile`). Nothing in it says how far a host has come.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from pydantic import TypeAdapter

from brood.protocol.errors import InvalidArgument, show

Change = Literal["load", "unload", "reload"]
CHANGES: tuple[Change, ...] = get_args(Change)
FORMS = "latest, latest:N, all, none, or numbers such as 1,3"
WHOLE = 0  # in place of a version: all of the model's


@dataclass(frozen=True, slots=True)
class Versions:
    """A version policy; as text (`parse_versions`): ``latest``, ``latest:2``, ``all``, ``none`` or ``1,3``."""

    latest: int | None = None  # so many of the newest; None: all
    only: tuple[int, ...] = ()  # these, whatever else there is

    def __str__(self) -> str:
        if self.only:
            return ",".join(map(str, self.only))
        return {None: "all", 0: "none", 1: "latest"}.get(self.latest, f"latest:{self.latest}")

    def chosen(self, there: Iterable[int]) -> frozenset[int]:
        """The wanted ones, if those are there; numbers that are named are wanted even if they are not there."""
        if self.only:
            return frozenset(self.only)
        newest = sorted(there, reverse=True)
        return frozenset(newest if self.latest is None else newest[: self.latest])


ALL, NONE = Versions(), Versions(latest=0)


def parse_versions(text: str) -> Versions:
    """A version policy from its text.

    Raises:
        ValueError: it is none; the message says what is allowed.
    """
    words = text.replace(" ", "").strip("[]")
    if words in {"all", "none"}:
        return ALL if words == "all" else NONE
    if found := re.fullmatch(r"latest(?::([1-9]\d*))?", words):
        return Versions(latest=int(found[1] or 1))
    if re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", words):
        return Versions(only=tuple(sorted({int(number) for number in words.split(",")})))
    raise ValueError(f"{show(text)} is not a version policy; allowed: {FORMS}")


@dataclass(frozen=True, slots=True)
class Choice:
    """What is wanted of one model: its policy, and what was asked for by hand since."""

    versions: Versions = ALL
    off: bool = False  # unloaded as a whole: the policy does not count
    also: frozenset[int] = frozenset()  # loaded by number
    without: frozenset[int] = frozenset()  # unloaded by number
    asked: int = 0  # revision at which it was last asked for: what had failed before is tried again
    reloads: Mapping[int, int] = field(default_factory=dict)  # version, or WHOLE → revision of the last reload

    def chosen(self, there: Iterable[int]) -> frozenset[int]:
        """The versions that shall be served, of those that are there and those that are named."""
        by_policy = frozenset[int]() if self.off else self.versions.chosen(set(there) - self.without) - self.without
        return by_policy | self.also

    def dismissed(self, version: int) -> bool:
        """Whether this version was unloaded by hand: it goes at once, whatever takes its place."""
        return version not in self.also and (self.off or version in self.without or self.versions == NONE)

    def reload_of(self, version: int) -> int:
        """Revision at which this version was last asked to be read anew; 0: never."""
        return max(self.reloads.get(version, 0), self.reloads.get(WHOLE, 0))

    def _after(self, change: Change, version: int, revision: int) -> Choice:
        if change == "reload":
            return replace(self, asked=revision, reloads={**self.reloads, version: revision})
        if change == "load":
            also = self.also | ({version} - {WHOLE})
            without = self.without - {version} if version else frozenset[int]()
            return replace(self, off=self.off and version != WHOLE, also=also, without=without, asked=revision)
        if version == WHOLE:
            return replace(self, off=True, also=frozenset(), without=frozenset())
        return replace(self, also=self.also - {version}, without=self.without | {version})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which versions of which models shall be served. Equal values mean the same; it travels pickled or as JSON."""

    revision: int = 0  # each change has a higher one
    default: Versions = ALL  # of models that are not named below
    closed: bool = False  # those are not wanted until they are asked for
    models: Mapping[str, Choice] = field(default_factory=dict)

    def of(self, name: str) -> Choice:
        """What is wanted of a model."""
        return self.models.get(name) or Choice(self.default, off=self.closed)

    def after(self, change: Change, name: str, version: int | None = None) -> Wanted:
        """The next value, of the next revision.

        Args:
            change: ``load``: also what failed is tried again; ``unload``; ``reload``: where the store has other bytes
                than those served, they replace them.
            name: of the model; whether there is such a one is not known here.
            version: this one only; None: what its policy says (load), or all (unload, reload).
        """
        revision = self.revision + 1
        choice = self.of(name)._after(change, version or WHOLE, revision)
        return replace(self, revision=revision, models={**self.models, name: choice})

    def only(self, names: Collection[str]) -> Wanted:
        """What of it concerns a host of these models alone; no names: everything."""
        if not names:
            return self
        return replace(self, closed=True, models={name: self.of(name) for name in sorted(names)})

    def named(self) -> frozenset[str]:
        """Models that are wanted by name, whether or not the store has them."""
        return frozenset(name for name, choice in self.models.items() if choice.chosen([1]))

    def to_json(self) -> str:
        """As text; policies have the fields of `Versions`."""
        return _JSON.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Wanted:
        """From what `to_json` gave.

        Raises:
            pydantic.ValidationError: it gave something else.
        """
        return _JSON.validate_json(text)


_JSON = TypeAdapter(Wanted)


def wanted(policies: Mapping[str, Versions], names: Collection[str] = ()) -> Wanted:
    """The first value, from settings.

    Args:
        policies: model → policy; the empty name is for all others, without it ``all``.
        names: only these models; empty: all of the store.

    Raises:
        InvalidArgument: a policy is for a model that is not among the names.
    """
    default = policies.get("", ALL)
    for name in policies:
        if name and names and name not in names:
            raise InvalidArgument(
                f"versions: {show(name)} is not among the models to load: {', '.join(sorted(names))}", field="versions"
            )
    chosen = {name: Choice(policy) for name, policy in policies.items() if name}
    return Wanted(default=default, models=chosen).only(names)
