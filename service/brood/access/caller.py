"""On whose behalf something is done.

The caller travels in a context variable and not through every signature: the border sets it for each request, the data
plane asks it, and a frontend in between can neither forget nor change it.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass
from fnmatch import fnmatchcase

from brood.access.verbs import SCOPES, Scope
from brood.protocol.errors import PermissionDenied, show


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever stands behind a request."""

    name: str  # the tenant; empty: nobody in particular
    scopes: frozenset[Scope]
    models: tuple[str, ...]  # patterns in the manner of a shell: "*", "glyphs-*"
    key_id: str = ""  # empty: came without a key

    def check_model(self, model: str) -> None:
        """Let a model pass that the caller may use.

        Raises:
            PermissionDenied: it is none of those.
        """
        if "*" not in self.models and not any(fnmatchcase(model, pattern) for pattern in self.models):
            text = f"model: {show(model)} is not allowed to this key; allowed: {', '.join(self.models)}"
            raise PermissionDenied(text, field="model")


ANYONE = Caller("", frozenset(SCOPES), ("*",))  # where no keys are asked for

_CURRENT: ContextVar[Caller] = ContextVar("brood-caller", default=ANYONE)


def current_caller() -> Caller:
    """The caller of the request that this task works for."""
    return _CURRENT.get()


def set_caller(caller: Caller) -> Token[Caller]:
    """From now on, this task works for a caller, until it ends or `take_back` is given what this returns."""
    return _CURRENT.set(caller)


def take_back(before: Token[Caller]) -> None:
    """Undo `set_caller`."""
    _CURRENT.reset(before)
