"""How a server fails as a whole."""

from __future__ import annotations


class StartFailed(Exception):
    """Ray or the application could not be started; the message is one line."""


class Unhealthy(Exception):
    """A part of a node does not work; the message says which."""
