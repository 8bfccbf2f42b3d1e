"""The settings as a file for ``serve deploy``, or for ``serveConfigV2`` of a RayService."""

from __future__ import annotations

from typing import Any

import yaml
from ray.serve.schema import ServeDeploySchema

from brood.serve.app import NAME
from brood.serve.hosting import wanted_of
from brood.serve.variables import IN_CONTROLLER
from brood.settings import Settings

IMPORT_PATH = "brood.serve.app:build"
# Where and under what name `brood serve` finds a cluster is its own affair.
LOCAL = {"address"}


def render(settings: Settings) -> str:
    """YAML with the settings that were given, in any way, and none of those left as they are.

    Raises:
        InvalidArgument: a version policy is for a model that is not among the names.
        pydantic.ValidationError: Ray does not take it.
    """
    wanted_of(settings)
    words = _words(settings)
    ServeDeploySchema.model_validate(words)
    text: str = yaml.safe_dump(words, sort_keys=False, default_flow_style=False, allow_unicode=True, width=120)
    return text


def _words(settings: Settings) -> dict[str, Any]:
    given = settings.model_dump(mode="json", exclude_unset=True, exclude=LOCAL)
    application = {"name": NAME, "route_prefix": None, "import_path": IMPORT_PATH, "args": given}
    return {
        # Requests do not pass through Serve: replicas open their own ports (docs/ray.md).
        "proxy_location": "Disabled",
        "controller_options": {"runtime_env": {"env_vars": dict(IN_CONTROLLER)}},
        "applications": [application],
    }
