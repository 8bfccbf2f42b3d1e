"""What Ray Serve says about deployments that are not as they should be."""

from __future__ import annotations

from ray import serve

PREFIX = "generator-"
GUESS = "This may be caused by"
SOUND = ("HEALTHY", "UPSCALING", "DOWNSCALING")  # states of deployments


def troubles(app: str) -> dict[str, str]:
    """Of the generators of an application, by name: that there is no room for a worker, say. Blocks."""
    found = complaints(app)
    return {name.removeprefix(PREFIX): reason for name, reason in found.items() if name.startswith(PREFIX)}


def complaints(app: str) -> dict[str, str]:
    """The same of all deployments of an application, by their whole names. Blocks."""
    found = serve.status().applications.get(app)
    if found is None:
        return {}
    return {
        name: last_line(each.message)
        for name, each in sorted(found.deployments.items())
        if each.status not in SOUND and each.message.strip()
    }


def last_line(text: str) -> str:
    """Of a message of Ray, in which it stands what happened; a guess why that may be comes after it."""
    lines = [line for line in text.strip().splitlines() if not line.startswith(GUESS)]
    return lines[-1] if lines else ""
