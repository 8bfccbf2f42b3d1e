"""How the readers of inputs complain; `decode_input` adds which input it is about."""

from __future__ import annotations


class Refused(Exception):
    """Something about an input is not allowed.

    Args:
        part: what is meant (``shape``, ``dtype``, ``format``, ``value`` …).
        found: what it is.
        allowed: what it may be.
    """

    def __init__(self, part: str, found: object, allowed: str) -> None:
        super().__init__(part, found, allowed)
        self.part, self.found, self.allowed = part, found, allowed
