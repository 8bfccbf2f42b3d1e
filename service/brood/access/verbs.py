"""What can be done with a server, and what a key must hold for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Scope = Literal["generate", "admin", "metrics"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

Verb = Literal["open", "read", "generate", "cancel", "admin", "metrics"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one verb asks of its caller."""

    scopes: frozenset[Scope]  # a key needs one of them; none: no key is needed at all
    counted: bool = True  # against the key's rate
    held: bool = False  # takes a place among those that run at once, until it ends


# To cancel frees what others wait for, so nothing slows it down; scrapes come from a process of their own.
RULES: Mapping[Verb, Rule] = {
    "open": Rule(frozenset(), counted=False),
    "read": Rule(frozenset({"generate", "admin"})),
    "generate": Rule(frozenset({"generate"}), held=True),
    "cancel": Rule(frozenset({"generate"}), counted=False),
    "admin": Rule(frozenset({"admin"})),
    "metrics": Rule(frozenset({"metrics"}), counted=False),
}
