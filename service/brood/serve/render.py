"""The settings as a file for ``serve deploy``, or for ``serveConfigV2`` of a RayService."""

from __future__ import annotations

from typing import Any

import yaml
from ray.serve.schema import ServeDeploySchema

from brood import __version__
from brood.serve.app import NAME
from brood.serve.hosting import wanted_of
from brood.serve.variables import IN_CONTROLLER
from brood.settings import Settings

IMPORT_PATH = "brood.serve.app:build"
# Where and under what name `brood serve` finds a cluster is its own affair.
LOCAL = {"address"}


# Serve replaces processes when the file asks for something else, and knows nothing of the code that is installed.
RELEASE = "RELEASE_OF_BROOD"


def render(settings: Settings, mark: str = "") -> str:
    """YAML with the settings that were given, in any way, and none of those left as they are.

    Args:
        settings: of the server.
        mark: any word; with another one than the last, Serve replaces all processes whatever else has changed.

    Raises:
        InvalidArgument: a version policy is for a model that is not among the names.
        pydantic.ValidationError: Ray does not take it.
    """
    wanted_of(settings)
    words = _words(settings, " ".join(filter(None, [__version__, mark])))
    ServeDeploySchema.model_validate(words)
    text: str = yaml.safe_dump(words, sort_keys=False, default_flow_style=False, allow_unicode=True, width=120)
    return text


def _words(settings: Settings, release: str) -> dict[str, Any]:
    given = settings.model_dump(mode="json", exclude_unset=True, exclude=LOCAL)
    application = {
        "name": NAME,
        "route_prefix": None,
        "import_path": IMPORT_PATH,
        "runtime_env": {"env_vars": {RELEASE: release}},
        "args": given,
    }
    return {
        # Requests do not pass through Serve: replicas open their own ports (docs/ray.md).
        "proxy_location": "Disabled",
        "controller_options": {"runtime_env": {"env_vars": dict(IN_CONTROLLER)}},
        "applications": [application],
    }
