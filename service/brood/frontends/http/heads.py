"""The headers of a request, looked up by name: every request's are, in many places."""

from __future__ import annotations

from starlette.types import Scope

KEY = "brood.heads"  # in a request's scope


class Heads:
    """Of one request.

    Args:
        headers: as ASGI has them: names in lower case, in the order of their coming.
    """

    __slots__ = ("_all", "_first")

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self._all = headers
        self._first = dict(reversed(headers))

    def text(self, name: bytes) -> str | None:
        """The first of a name."""
        value = self._first.get(name)
        return None if value is None else value.decode("latin-1")

    def every(self, name: bytes) -> list[str]:
        """All of a name."""
        if name not in self._first:
            return []
        return [value.decode("latin-1") for key, value in self._all if key == name]


def heads_of(scope: Scope) -> Heads:
    """The headers of a request."""
    found: Heads | None = scope.get(KEY)
    if found is None:
        found = scope[KEY] = Heads(scope["headers"])
    return found
